import { floatAttribute, intAttribute } from '../graph.js';
import type { Upgrade } from './context.js';

// Operators that compute something else, or need more said, in later versions.

/**
 * Softmax, LogSoftmax, Hardmax: before version 13 the axes from `axis` on were one; now it is one axis alone. The same
 * where every later axis has size 1; elsewhere the node works on the matrix the old definition speaks of.
 */
export const upgradeSoftmax: Upgrade = (context) => {
  const { node } = context;
  const [x = ''] = node.inputs;
  const axis = intAttribute(node, 'axis', 1);
  const dims = context.dims(x);
  if (dims !== undefined) {
    const first = axis < 0 ? axis + dims.length : axis;
    if (dims.slice(first + 1).every((size) => size === 1)) return [context.changed({ set: { axis } })];
  }
  const matrix = context.emit('Flatten', [x], { axis });
  const shares = context.emit(node.operator, [matrix], { axis: 1 });
  const shape = context.emit('Shape', [x]);
  return [
    context.changed({
      operator: 'Reshape',
      inputs: [shares, shape],
      drop: [...node.attributes.keys()],
      set: { allowzero: 1 },
    }),
  ];
};

/** BatchNormalization: statistics per position (`spatial` 0) ended with version 9, the old training form with 14. */
export const upgradeBatchNormalization: Upgrade = (context) => {
  const { node, from } = context;
  const [y = '', ...statistics] = node.outputs;
  if (statistics.some(context.isUsed)) {
    throw context.unsupported('it gives out training statistics; export the network for inference');
  }
  if (from >= 9 || intAttribute(node, 'spatial', 1) === 1) {
    return [context.changed({ outputs: [y], drop: ['spatial'] })];
  }
  const [x = '', scale = '', bias = '', mean = '', variance = ''] = node.inputs;
  const epsilon = context.scalarLike(floatAttribute(node, 'epsilon', 1e-5), variance, 'epsilon');
  const deviation = context.emit('Sqrt', [context.emit('Add', [variance, epsilon])]);
  const normal = context.emit('Div', [context.emit('Sub', [x, mean]), deviation]);
  const scaled = context.emit('Mul', [normal, scale]);
  return [
    context.changed({
      operator: 'Add',
      inputs: [scaled, bias],
      outputs: [y],
      drop: [...node.attributes.keys()],
    }),
  ];
};

/** Scatter is called ScatterElements since version 11. */
export const upgradeScatter: Upgrade = (context) => [context.changed({ operator: 'ScatterElements' })];

/** RoiAlign: version 16 moved the sampling points by half a pixel unless told otherwise. */
export const upgradeRoiAlign: Upgrade = (context) => [
  context.changed({ set: { coordinate_transformation_mode: 'output_half_pixel' } }),
];

/** Scan: version 8 had a batch axis and sequence lengths, which version 9 has no form for. */
export const upgradeScan: Upgrade = (context) => {
  throw context.unsupported('the batched Scan of version 8 ended with version 9');
};

/** Operators and forms of the first versions that were experimental. */
export const upgradeWithdrawn: Upgrade = (context) => {
  throw context.unsupported('this form was experimental and has been withdrawn; export the network again');
};
