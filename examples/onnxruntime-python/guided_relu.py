"""unitscope's operators in ONNX Runtime for Python: guided backpropagation through one ReLU and one max-pooling.

    pip install numpy onnx onnxruntime
    python3 guided_relu.py <prefix>/lib/libunitscope_onnxruntime.so

Ends with 1 if the signal is not the one that the definition gives.
"""

import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper

options = onnxruntime.SessionOptions()
options.register_custom_ops_library(sys.argv[1])

# z -> Relu -> x -> MaxPool -> y, and the signal dy at y back to z in one operator.
pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
nodes = [
    helper.make_node("Relu", ["z"], ["x"]),
    helper.make_node("MaxPool", ["x"], ["y"], **pool),
    helper.make_node("MaxPoolGrad", ["x", "y", "dy"], ["dz"], domain="unitscope", rule="guided", **pool),
]
graph = helper.make_graph(
    nodes,
    "guided",
    [
        helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, 1, 4, 4]),
        helper.make_tensor_value_info("dy", TensorProto.FLOAT, [1, 1, 2, 2]),
    ],
    [helper.make_tensor_value_info("dz", TensorProto.FLOAT, [1, 1, 4, 4])],
)
sets = [helper.make_opsetid("", 17), helper.make_opsetid("unitscope", 1)]
model = helper.make_model(graph, opset_imports=sets, ir_version=8)

z = numpy.array([[1, 2, -1, -2], [3, 3, -3, -4], [5, 0, 1, 1], [0, 5, 1, 1]], numpy.float32).reshape(1, 1, 4, 4)
dy = numpy.array([[10, 20], [-30, 40]], numpy.float32).reshape(1, 1, 2, 2)
session = onnxruntime.InferenceSession(model.SerializeToString(), options)
(dz,) = session.run(["dz"], {"z": z, "dy": dy})

# The first 3 takes 10. Behind the second window nothing was active. -30 is no evidence for. The first 1 takes 40.
expected = numpy.zeros((4, 4), numpy.float32)
expected[1, 0] = 10
expected[2, 2] = 40
print(dz[0, 0])
sys.exit(0 if numpy.array_equal(dz[0, 0], expected) else 1)
