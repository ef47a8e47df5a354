import { intAttribute, stringAttribute } from '@unitscope/onnx';
import { reshapeTo } from './axes.js';
import { pointwise } from './pointwise.js';

/** Channels into b x b blocks of pixels, and back. `DCR` has its inverse in SpaceToDepth; `CRD` orders the channels first. */
export const depthToSpace = {
  gradient: pointwise('DepthToSpace', ({ context, emit, x, dy }) => {
    const block = intAttribute(context.node, 'blocksize', 1);
    if (stringAttribute(context.node, 'mode', 'DCR') === 'DCR')
      return emit('SpaceToDepth', [dy], { blocksize: block });
    const [batch = 1] = context.dims(x);
    const [channels, height, width] = context.sizes(x, 1) as [number, number, number];
    const blocks = reshapeTo(context, dy, [batch, channels / block ** 2, height, block, width, block]);
    return reshapeTo(context, emit('Transpose', [blocks], { perm: [0, 1, 3, 5, 2, 4] }), [
      batch,
      channels,
      height,
      width,
    ]);
  }),
};

export const spaceToDepth = {
  gradient: pointwise('SpaceToDepth', ({ context, emit, dy }) =>
    emit('DepthToSpace', [dy], { blocksize: intAttribute(context.node, 'blocksize', 1), mode: 'DCR' }),
  ),
};
