"""The peer of the train benchmark: torch's step of training, of the very network that it is told.

Speaks the protocol of protocol.py: {"nodes": [{"op", "in", "out", attributes}], "parameters": {name: dims}, "buffers": {name:
dims}, "dims": [N, 3, H, W], "classes": K} prepares the method "torch step": zero gradients, forward, cross entropy, backward
and SGD with momentum 0.9 and weight decay. Operators are those the architectures are made of.
"""
import math

import torch
import torch.nn.functional as F
from protocol import serve


def run_node(node, values):
    op = node["op"]
    a = [values[name] for name in node["in"]]
    if op == "Conv":
        bias = a[2] if len(a) > 2 else None
        return F.conv2d(a[0], a[1], bias, stride=node["strides"], padding=node["pads"][:2], groups=node["group"])
    if op == "BatchNormalization":
        return F.batch_norm(a[0], a[3], a[4], a[1], a[2], training=True, momentum=0.1)
    if op == "Relu":
        return F.relu(a[0])
    if op == "Add":
        return a[0] + a[1]
    if op == "LRN":
        return F.local_response_norm(a[0], node["size"], node["alpha"], node["beta"], node["bias"])
    if op == "MaxPool":
        return F.max_pool2d(a[0], node["kernel_shape"], node["strides"], node["pads"][:2])
    if op == "GlobalAveragePool":
        return F.adaptive_avg_pool2d(a[0], 1)
    if op == "Flatten":
        return a[0].flatten(1)
    if op == "Dropout":
        return F.dropout(a[0], node["ratio"], training=True)
    if op == "Gemm":
        return F.linear(a[0], a[1], a[2])
    raise ValueError(f"no {op} here")


def prepare(command):
    torch.manual_seed(1)
    values = {}
    for name, dims in command["parameters"].items():
        fan_in = math.prod(dims[1:])
        start = torch.randn(dims) * math.sqrt(2 / fan_in) if len(dims) > 1 else torch.full(dims, float(name.endswith("scale")))
        values[name] = start.requires_grad_(True)
    for name, dims in command["buffers"].items():
        values[name] = torch.full(dims, float(name.endswith("variance")))
    parameters = [values[name] for name in command["parameters"]]
    optimizer = torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, weight_decay=5e-4)
    x = torch.randn(command["dims"])
    labels = torch.arange(command["dims"][0]) % command["classes"]

    def step():
        # The picture is the first value, the scores are the last.
        made = {**values, "input": x}
        for node in command["nodes"]:
            made[node["out"]] = run_node(node, made)
        optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(made[command["nodes"][-1]["out"]], labels).backward()
        optimizer.step()

    return {"torch step": step}, {}


serve(prepare)
