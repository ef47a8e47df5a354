import { floatAttribute, intAttribute, intsAttribute } from '../graph.js';
import type { Upgrade } from './context.js';

// Operators whose parameters were attributes once and are inputs now.

/** Clip: `min` and `max` are inputs since version 11. */
export const upgradeClip: Upgrade = (context) => {
  const { node } = context;
  const x = node.inputs[0]!;
  const bound = (name: string) =>
    node.attributes.has(name) ? context.scalarLike(floatAttribute(node, name, 0), x, name) : '';
  return [context.changed({ inputs: trimmed([x, bound('min'), bound('max')]), drop: ['min', 'max'] })];
};

/** Pad: `pads` and `value` are inputs since version 11. */
export const upgradePad: Upgrade = (context) => {
  const { node } = context;
  const x = node.inputs[0]!;
  const pads = intsAttribute(node, 'pads');
  if (pads === undefined) throw context.unsupported('its attribute pads is missing');
  const value = floatAttribute(node, 'value', 0);
  const fill = value === 0 ? '' : context.scalarLike(value, x, 'value');
  return [
    context.changed({ inputs: trimmed([x, context.ints(pads, 'pads'), fill]), drop: ['pads', 'value'] }),
  ];
};

/** Slice: `starts`, `ends` and `axes` are inputs since version 10. */
export const upgradeSlice: Upgrade = (context) => {
  const { node } = context;
  const starts = intsAttribute(node, 'starts');
  const ends = intsAttribute(node, 'ends');
  const axes = intsAttribute(node, 'axes');
  if (starts === undefined || ends === undefined) throw context.unsupported('it has no starts and ends');
  return [
    context.changed({
      inputs: [
        node.inputs[0]!,
        context.ints(starts, 'starts'),
        context.ints(ends, 'ends'),
        ...(axes === undefined ? [] : [context.ints(axes, 'axes')]),
      ],
      drop: ['starts', 'ends', 'axes'],
    }),
  ];
};

/** TopK: `k` is an input since version 10. */
export const upgradeTopK: Upgrade = (context) => {
  const { node } = context;
  const k = intAttribute(node, 'k');
  if (k === undefined) throw context.unsupported('its attribute k is missing');
  return [context.changed({ inputs: [node.inputs[0]!, context.ints([k], 'k')], drop: ['k'] })];
};

/** Squeeze, Unsqueeze and the reductions: `axes` is an input since version 13 or 18; none means all. */
export const upgradeAxes: Upgrade = (context) => {
  const { node } = context;
  const axes = intsAttribute(node, 'axes');
  if (axes === undefined) return undefined;
  const inputs = axes.length === 0 ? [node.inputs[0]!] : [node.inputs[0]!, context.ints(axes, 'axes')];
  return [context.changed({ inputs, drop: ['axes'] })];
};

/** Split: `split` is an input since version 13; since 18 equal parts must be asked for by `num_outputs`. */
export const upgradeSplit: Upgrade = (context) => {
  const { node, from } = context;
  const [x = '', given = ''] = node.inputs;
  const sizes = from < 13 ? intsAttribute(node, 'split') : undefined;
  if (given !== '') return undefined;
  if (sizes !== undefined) {
    return [context.changed({ inputs: [x, context.ints(sizes, 'split')], drop: ['split'] })];
  }
  return [context.changed({ inputs: [x], drop: ['split'], set: { num_outputs: node.outputs.length } })];
};

/** Dropout: `ratio` is an input since version 12, and the mask is of booleans since version 10. */
export const upgradeDropout: Upgrade = (context) => {
  const { node, from, builder } = context;
  const [x = ''] = node.inputs;
  const [y = '', mask = ''] = node.outputs;
  const ratio = context.builder.floats(floatAttribute(node, 'ratio', 0.5), [], `${y}/ratio`);
  const inputs = [x, ratio];
  if (from >= 10) return [context.changed({ inputs, drop: ['ratio'] })];
  if (!context.isUsed(mask)) return [context.changed({ inputs, outputs: [y], drop: ['ratio'] })];
  const booleans = builder.freshName(`${mask}/bool`);
  return [
    context.changed({ inputs, outputs: [y, booleans], drop: ['ratio'] }),
    {
      name: builder.freshName(`${mask}/CastLike`),
      operator: 'CastLike',
      domain: '',
      inputs: [booleans, x],
      outputs: [mask],
      attributes: new Map(),
    },
  ];
};

/** Inputs without the left-out ones at the end. */
function trimmed(inputs: readonly string[]): string[] {
  let length = inputs.length;
  while (length > 0 && inputs[length - 1] === '') length--;
  return inputs.slice(0, length);
}
