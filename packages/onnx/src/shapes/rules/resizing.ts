import { type Attribute, type Dim, intsAttribute, stringAttribute } from '../../graph.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import type { Element } from '../value.js';

/** floor(size * scale), in float32 as ONNX Runtime computes it. */
function scaled(context: ShapeContext, axis: number, size: Dim, scale: Element): Dim {
  if (scale === 1) return size;
  if (typeof scale !== 'number') return context.fresh(axis);
  if (!(scale > 0)) throw context.bad(`scale ${scale} must be positive`);
  if (typeof size === 'number') return Math.floor(Math.fround(size * Math.fround(scale)));
  if (Number.isInteger(scale)) return context.symbols.product([size, scale]);
  return context.symbols.expression(`floor(${size}*${scale})`, 'size');
}

/** One number per axis to resize; a list of another length is a contradiction. */
function checkCount(context: ShapeContext, what: string, given: number, axes: number): void {
  if (given !== axes) throw context.bad(`${given} ${what} are given for ${axes} axes`);
}

function byScales(
  context: ShapeContext,
  dims: readonly Dim[],
  axes: readonly number[],
  scales: readonly Element[],
): readonly Dim[] {
  checkCount(context, 'scales', scales.length, axes.length);
  const result = [...dims];
  axes.forEach((axis, i) => {
    result[axis] = scaled(context, axis, dims[axis]!, scales[i]);
  });
  return result;
}

/** Sizes as given, or one scale for all axes (the least or the largest of size / input), rounded half up. */
function bySizes(
  context: ShapeContext,
  dims: readonly Dim[],
  axes: readonly number[],
  sizes: readonly Element[],
): readonly Dim[] {
  checkCount(context, 'sizes', sizes.length, axes.length);
  const policy = stringAttribute(context.node, 'keep_aspect_ratio_policy', 'stretch');
  const result = [...dims];
  if (policy === 'stretch') {
    axes.forEach((axis, i) => {
      const size = sizes[i];
      result[axis] = typeof size === 'bigint' ? Number(size) : (size ?? context.fresh(axis));
    });
    return result;
  }
  const ratios = axes.map((axis, i) => {
    const [size, from] = [sizes[i], dims[axis]];
    return typeof size === 'number' && typeof from === 'number' ? Math.fround(size / from) : undefined;
  });
  const known = ratios.filter((ratio) => ratio !== undefined);
  const scale =
    known.length === ratios.length
      ? policy === 'not_larger'
        ? Math.min(...known)
        : Math.max(...known)
      : undefined;
  for (const axis of axes) {
    const from = dims[axis];
    result[axis] =
      scale !== undefined && typeof from === 'number'
        ? Math.floor(Math.fround(scale * from) + 0.5)
        : context.fresh(axis);
  }
  return result;
}

/** Resize: (X, scales) in set 10, (X, roi, scales, sizes) since 11; some axes only, by attribute, since 18. */
const resize: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims }];
  const given = intsAttribute(context.node, 'axes');
  const axes = given === undefined ? [...dims.keys()] : context.axes(given, dims.length);
  const scalesInput = context.opset < 11 ? 1 : 2;
  // An empty list means "not given", which was the only way before set 13.
  const isGiven = (input: number) => context.has(input) && context.dims(input)?.[0] !== 0;
  const sizesGiven = context.opset >= 11 && isGiven(3);
  if (!sizesGiven && !isGiven(scalesInput)) throw context.bad('neither scales nor sizes is given');
  const elements =
    context.elements(sizesGiven ? 3 : scalesInput) ?? new Array<Element>(axes.length).fill(undefined);
  return [{ type, dims: (sizesGiven ? bySizes : byScales)(context, dims, axes, elements) }];
};

/** Upsample: scales by attribute in set 7, by input in set 9. */
const upsample: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims }];
  const attribute: Attribute | undefined = context.node.attributes.get('scales');
  const scales = context.has(1)
    ? context.elements(1)
    : attribute?.kind === 'floats'
      ? attribute.value
      : undefined;
  if (!context.has(1) && scales === undefined) throw context.bad('scales is missing');
  const elements = scales ?? new Array<Element>(dims.length).fill(undefined);
  return [{ type, dims: byScales(context, dims, [...dims.keys()], elements) }];
};

export const RESIZING_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Resize', resize],
  ['Upsample', upsample],
];
