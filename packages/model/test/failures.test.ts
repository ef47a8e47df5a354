import { describe, expect, it } from 'vitest';
import { loadFailure, runFailure } from '../src/onnxruntime-node/failures.js';

describe('failures of ONNX Runtime', () => {
  it('names the node a run failed at, without the place in the sources', () => {
    const text =
      "Non-zero status code returned while running Reshape node. Name:'a b' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:47 onnxruntime::ReshapeHelper::ReshapeHelper(const TensorShape&, TensorShapeVector&, bool) input_shape_size == size was false.\n The input tensor cannot be reshaped";
    const failure = runFailure('net.onnx', new Error(text));
    expect(failure.code).toBe('backend');
    expect(failure.message).toMatch(/^net\.onnx fails at node "a b" \(Reshape\): .*cannot be reshaped$/);
    expect(failure.message).not.toContain('onnxruntime_src');
  });

  it('tells lack of memory from a bad file', () => {
    const running =
      "Non-zero status code returned while running Conv node. Name:'c' Status Message: std::bad_alloc";
    expect(runFailure('net', new Error(running))).toEqual({
      code: 'backend',
      message: 'net ran out of memory at node "c" (Conv); give smaller batches',
    });
    expect(loadFailure('net', new Error('std::bad_alloc')).code).toBe('backend');
    expect(loadFailure('net', new Error('This is an invalid model. Error: unsorted')).code).toBe('bad-file');
    expect(loadFailure('net', new Error('[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : no kernel')).code).toBe(
      'unsupported',
    );
  });

  it('keeps a long message short', () => {
    expect(loadFailure('net', 'x'.repeat(5000)).message.length).toBeLessThan(450);
  });
});
