import { stridesOf } from '@unitscope/tensor';
import { type Dim, intAttribute } from '../../graph.js';
import type { ShapeContext, ShapeRule } from '../context.js';
import { numericDims, strided } from '../fold.js';
import { countOf, type Element, type Value } from '../value.js';

interface Range {
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

/** The largest int32 and int64 as an end mean "to the last index in the direction of the step". */
function isOpenEnd(end: number): boolean {
  return end === 2 ** 31 - 1 || end >= 2 ** 63 - 1;
}

/** Indices start, start + step, ... before end, out of 0..size-1; negative ends count from the back, as in numpy. */
function rangeOf(start: number, end: number, step: number, size: number): Range {
  const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
  const place = (index: number) => Math.min(Math.max(index < 0 ? index + size : index, least), most);
  const first = Math.max(place(start), 0);
  const last = isOpenEnd(end) ? (step > 0 ? size : -1) : place(end);
  return { start: first, step, length: Math.max(0, Math.ceil((last - first) / step)) };
}

/** Four lists of one length: attributes before set 10, inputs since; those known at run time only are undefined. */
function sliceLists(context: ShapeContext, rank: number) {
  const list = (attribute: string, input: number) => {
    const given = context.integers(attribute, input);
    if (given === 'absent') return undefined;
    if (given !== 'unknown') return given;
    const elements = context.elements(input);
    const count = elements?.length ?? context.dims(input)?.[0];
    return elements ?? (typeof count === 'number' && count <= rank ? new Array<Element>(count) : 'unknown');
  };
  const starts = list('starts', 1);
  const ends = list('ends', 2);
  const axes = list('axes', 3);
  const steps = list('steps', 4);
  if (starts === undefined || ends === undefined) throw context.bad('starts or ends is missing');
  if (starts === 'unknown' || ends === 'unknown' || axes === 'unknown' || steps === 'unknown')
    return undefined;
  const numbers = axes?.filter((axis) => typeof axis === 'number');
  if (axes !== undefined && numbers?.length !== axes.length) return undefined;
  const lengths = [ends, axes ?? starts, steps ?? starts].map(({ length }) => length);
  if (lengths.some((length) => length !== starts.length)) {
    throw context.bad(`starts, ends, axes and steps have ${starts.length}, ${lengths.join(', ')} numbers`);
  }
  const positions = context.axes(numbers ?? [...starts.keys()], rank);
  return { starts, ends, steps, axes: positions };
}

const slice: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims }];
  const lists = sliceLists(context, dims.length);
  if (lists === undefined) return [{ type, dims: dims.map((_, axis) => context.fresh(axis)) }];
  const result = [...dims];
  const ranges = new Map<number, Range>();
  lists.axes.forEach((axis, i) => {
    const size = dims[axis]!;
    const start = lists.starts[i];
    const end = lists.ends[i];
    const step = lists.steps === undefined ? 1 : lists.steps[i];
    if (step === 0) throw context.bad('a step is 0');
    const [first, last, stride] = [start, end, step].map((x) => (typeof x === 'bigint' ? Number(x) : x));
    if (
      typeof size === 'number' &&
      typeof first === 'number' &&
      typeof last === 'number' &&
      typeof stride === 'number'
    ) {
      const range = rangeOf(first, last, stride, size);
      ranges.set(axis, range);
      result[axis] = range.length;
    } else {
      result[axis] = sliceSymbol(context, axis, size, first, last, stride);
    }
  });
  const sizes = numericDims(dims);
  const outputSizes = numericDims(result);
  const foldable =
    sizes !== undefined &&
    outputSizes !== undefined &&
    ranges.size === lists.axes.length &&
    context.canFold(outputSizes);
  const elements = foldable ? context.elements(0) : undefined;
  if (elements === undefined || sizes === undefined || outputSizes === undefined)
    return [{ type, dims: result }];
  const strides = stridesOf(sizes);
  let offset = 0;
  const moves = strides.map((stride, axis) => {
    const range = ranges.get(axis);
    offset += (range?.start ?? 0) * stride;
    return stride * (range?.step ?? 1);
  });
  return [{ type, dims: result, elements: strided(elements, outputSizes, moves, offset) }];
};

/** The size of a slice of which something is known at run time only. */
function sliceSymbol(
  context: ShapeContext,
  axis: number,
  size: Dim,
  start: Element,
  end: Element,
  step: Element,
): Dim {
  if (start === 0 && step === 1) {
    if (end === size || (typeof end === 'number' && end >= 2 ** 31 - 1)) return size;
  }
  if (start === -1 && step === -1 && typeof end === 'number' && (isOpenEnd(end) || end < -(2 ** 31)))
    return size;
  if ([start, end, step].some((given) => given === undefined)) return context.fresh(axis);
  return context.symbols.expression(`slice(${size};${start};${end};${step})`, 'size');
}

/** Sizes by attribute `split` before set 13, by input since; equal parts where none are given. */
const split: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  const parts = context.node.outputs.length;
  if (dims === undefined) return context.node.outputs.map(() => ({ type, dims }));
  const axis = context.axisAttribute(dims.length, 0);
  const given = context.integers('split', 1);
  const size = dims[axis]!;
  const sizes = given === 'absent' ? equalParts(context, size, parts) : given;
  if (sizes !== 'unknown') {
    if (sizes.length !== parts) throw context.bad(`${sizes.length} sizes are given for ${parts} outputs`);
    if (given !== 'absent' && typeof size === 'number') {
      const total = sizes.reduce((sum: number, part) => sum + Number(part), 0);
      if (total !== size) throw context.bad(`the sizes [${sizes.join(', ')}] do not add up to ${size}`);
    }
  }
  let offset = 0;
  return context.node.outputs.map((_, output): Value => {
    const part = sizes === 'unknown' ? context.fresh(axis, output) : sizes[output]!;
    const partDims = dims.map((dim, i) => (i === axis ? part : dim));
    if (typeof part === 'string' || dims.length !== 1 || !context.canFold(dims))
      return { type, dims: partDims };
    const elements = context.elements(0)?.slice(offset, offset + part);
    offset += part;
    return { type, dims: partDims, elements };
  });
};

function equalParts(context: ShapeContext, size: Dim, parts: number): readonly Dim[] {
  const wanted = intAttribute(context.node, 'num_outputs', parts);
  if (wanted !== parts) throw context.bad(`num_outputs is ${wanted}, the node has ${parts} outputs`);
  const exact = context.symbols.quotient(size, parts);
  if (exact !== undefined) return new Array<Dim>(parts).fill(exact);
  if (typeof size === 'string') {
    return Array.from({ length: parts }, (_, i) =>
      context.symbols.expression(`part ${i}(${size}/${parts})`, 'size'),
    );
  }
  // Since set 18 the last part may be smaller.
  const chunk = Math.ceil(size / parts);
  const last = size - chunk * (parts - 1);
  if (context.opset < 18 || last < 0) throw context.bad(`${size} cannot be split into ${parts} parts`);
  return [...new Array<Dim>(parts - 1).fill(chunk), last];
}

const concat: ShapeRule = (context) => {
  const type = context.type(0);
  const all = Array.from({ length: context.inputCount }, (_, input) => context.dims(input));
  const first = all.find((dims) => dims !== undefined);
  if (first === undefined) return [{ type, dims: undefined }];
  const axis = context.axisAttribute(first.length, intAttribute(context.node, 'axis') ?? 1);
  const result = [...first];
  for (const dims of all) {
    if (dims === undefined) continue;
    if (dims.length !== first.length) {
      throw context.bad(`inputs ${context.inputDims()} must have the same number of axes`);
    }
    dims.forEach((dim, i) => {
      if (i !== axis) result[i] = context.same(result[i]!, dim, `the sizes of axis ${i}`);
    });
  }
  const known = all.filter((dims) => dims !== undefined);
  result[axis] =
    known.length < all.length ? context.fresh(axis) : context.symbols.sum(known.map((dims) => dims[axis]!));
  return [{ type, dims: result, elements: concatElements(context, result, axis) }];
};

/** Inputs of which nothing is known become unknown elements, so that the others are kept. */
function concatElements(
  context: ShapeContext,
  dims: readonly Dim[],
  axis: number,
): readonly Element[] | undefined {
  if (!context.canFold(dims)) return undefined;
  const outer = countOf(dims.slice(0, axis)) ?? 0;
  const parts = Array.from({ length: context.inputCount }, (_, input) => {
    const elements = context.elements(input);
    return { elements, inner: countOf(context.dims(input)?.slice(axis)) ?? 0 };
  });
  if (parts.every(({ elements }) => elements === undefined)) return undefined;
  const result: Element[] = [];
  for (let i = 0; i < outer; i++) {
    for (const { elements, inner } of parts) {
      for (let j = 0; j < inner; j++) result.push(elements?.[i * inner + j]);
    }
  }
  return result;
}

/** Pads by attribute before set 11, by input since; input 3 names the axes since set 18. Negative pads crop. */
const pad: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined) return [{ type, dims }];
  const pads = context.has(1) ? context.elements(1) : context.integers('pads', 1);
  if (pads === 'absent') throw context.bad('pads is missing');
  const given = context.integers('axes', 3);
  if (pads === undefined || pads === 'unknown' || given === 'unknown') {
    return [{ type, dims: dims.map((_, axis) => context.fresh(axis)) }];
  }
  const axes = given === 'absent' ? [...dims.keys()] : context.axes(given, dims.length);
  if (pads.length !== 2 * axes.length) {
    throw context.bad(`${pads.length} pads are given, ${2 * axes.length} are needed`);
  }
  const result = [...dims];
  axes.forEach((axis, i) => {
    const [begin, end] = [pads[i], pads[i + axes.length]].map((x) => (typeof x === 'bigint' ? Number(x) : x));
    result[axis] =
      begin === undefined || end === undefined
        ? context.fresh(axis)
        : context.symbols.sum([dims[axis]!, begin, end]);
  });
  return [{ type, dims: result }];
};

export const SLICING_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['Slice', slice],
  ['Split', split],
  ['Concat', concat],
  ['Pad', pad],
];
