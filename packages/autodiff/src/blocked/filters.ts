/** Weights of a convolution in doubles or floats, dims [outputs, inputs of a group, height, width]. */
export interface Filter {
  readonly dims: readonly [outputs: number, inputs: number, height: number, width: number];
  readonly data: Float32Array;
}

/**
 * A filter in the form that ONNX Runtime's blocked convolution reads, its output channels filled up with zeros to a
 * multiple of the block.
 *
 * - `paired`, for input in the blocked layout: [outputs / block, inputs / block, height, width, block of inputs, block of
 *   outputs] (MLAS calls it OIHWBiBo); input channels are filled up too
 * - otherwise, for input in NCHW and for depthwise convolutions: [outputs / block, inputs, height, width, block of
 *   outputs] (OIHWBo)
 */
export function blockFilter({ dims, data }: Filter, block: number, paired: boolean): Filter {
  const [outputs, inputs, height, width] = dims;
  const taps = height * width;
  const up = (channels: number) => Math.ceil(channels / block) * block;
  const [allOutputs, allInputs] = [up(outputs), paired ? up(inputs) : inputs];
  const inner = paired ? block : 1;
  const blocked = new Float32Array(allOutputs * allInputs * taps);
  for (let output = 0; output < outputs; output++) {
    const place = Math.floor(output / block) * block * allInputs * taps + (output % block);
    for (let input = 0; input < inputs; input++) {
      const from = (output * inputs + input) * taps;
      const to = place + (Math.floor(input / inner) * taps * inner + (input % inner)) * block;
      for (let tap = 0; tap < taps; tap++) blocked[to + tap * inner * block] = data[from + tap]!;
    }
  }
  return { dims: [allOutputs, allInputs, height, width], data: blocked };
}

/**
 * A grouped filter with `count` neighbouring groups made one: zeros where an output and an input were in different
 * groups.
 */
export function mergeGroups({ dims, data }: Filter, groups: number, count: number): Filter {
  const [outputs, inputs, height, width] = dims;
  const taps = height * width;
  const perGroup = outputs / groups;
  const merged = new Float32Array(outputs * inputs * count * taps);
  for (let output = 0; output < outputs; output++) {
    const place = Math.floor(output / perGroup) % count;
    merged.set(
      data.subarray(output * inputs * taps, (output + 1) * inputs * taps),
      (output * count + place) * inputs * taps,
    );
  }
  return { dims: [outputs, inputs * count, height, width], data: merged };
}
