import { type Attributes, intsAttribute, type Node } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';
import type { NativeOperator } from '../native-operator.js';
import { emitRectified, type Rectifier, toRectifier } from './relu-grad.js';

/**
 * `SplitReluGrad(dy, y) -> dx_1 ... dx_n`, y [N, C, ...] a concatenation along axis 1 of values of which some come out
 * of rectifiers, and dy its signal: the parts of dy, each as ReluGrad with its part of y.
 *
 * - ints attribute `split`: channels of each part
 * - strings attribute `rules`, one per part: those of ReluGrad, or `none` where a part is handed on as it is
 * - floats attribute `ceilings`, one per part, infinity for none; may be left out where no part has one
 *
 * It comes out of `fuseSignals` only.
 */
export const splitReluGrad = {
  operator: 'SplitReluGrad',
  shape: (context) => {
    const dims = context.dims(0);
    return intsAttribute(context.node, 'split', []).map((channels) => ({
      type: context.type(0),
      dims: dims && [dims[0]!, channels, ...dims.slice(2)],
    }));
  },
  lower: (context) => {
    const { node, builder, emitMany } = context;
    const [dy, y] = node.inputs as [string, string];
    const split = intsAttribute(node, 'split', []);
    const sizes = builder.ints(split);
    const parts = emitMany('Split', [dy, sizes], split.length, { axis: 1 });
    const outputs = emitMany('Split', [y, sizes], split.length, { axis: 1 });
    return rectifiersOf(node).map((rectifier, part) =>
      rectifier === undefined
        ? parts[part]!
        : emitRectified(context, rectifier, outputs[part]!, parts[part]!),
    );
  },
} satisfies NativeOperator;

export function splitReluGradAttributes(
  split: readonly number[],
  rectifiers: readonly (Rectifier | undefined)[],
): Attributes {
  const ceilings = rectifiers.map((rectifier) => rectifier?.ceiling ?? Number.POSITIVE_INFINITY);
  return new Map([
    ['split', { kind: 'ints', value: split }],
    ['rules', { kind: 'strings', value: rectifiers.map((rectifier) => rectifier?.rule ?? 'none') }],
    ...(ceilings.every((ceiling) => ceiling === Number.POSITIVE_INFINITY)
      ? []
      : [['ceilings', { kind: 'floats', value: ceilings }] as const]),
  ]);
}

/** The rectifier of each part, undefined for a part that is handed on. Throws `wrong-use` for unknown rules. */
export function rectifiersOf(node: Node): readonly (Rectifier | undefined)[] {
  const split = intsAttribute(node, 'split', []);
  const [rules, ceilings] = [node.attributes.get('rules'), node.attributes.get('ceilings')];
  return split.map((_, part) => {
    const rule = rules?.kind === 'strings' ? rules.value[part] : undefined;
    if (rule === undefined) {
      throw new UnitscopeError('wrong-use', `SplitReluGrad ${node.name}: part ${part} has no rule`, {
        subject: node.name,
      });
    }
    const ceiling = ceilings?.kind === 'floats' ? ceilings.value[part] : undefined;
    return toRectifier(node, rule, ceiling === Number.POSITIVE_INFINITY ? undefined : ceiling);
  });
}
