import { type Dim, intAttribute } from '../../graph.js';
import { add, type Binary, maximum, minimum, multiply } from '../arithmetic.js';
import type { ShapeRule } from '../context.js';
import { type Element, fit, isInteger } from '../value.js';

/** Reductions over axes given by an attribute, or by input 1 in later operator sets; all axes where none is given. */
function reduction(combine?: Binary): ShapeRule {
  return (context) => {
    const { type, dims } = context.input(0);
    const keep = intAttribute(context.node, 'keepdims', 1) !== 0;
    const given = context.integers('axes', 1);
    if (dims === undefined) return [{ type, dims }];
    if (given === 'unknown') {
      const count = context.dims(1)?.[0];
      if (keep) return [{ type, dims: dims.map((_, axis) => context.fresh(axis)) }];
      const known = typeof count === 'number' && count <= dims.length;
      return [{ type, dims: known ? dims.slice(count).map((_, axis) => context.fresh(axis)) : undefined }];
    }
    const none = given === 'absent' || given.length === 0;
    if (none && intAttribute(context.node, 'noop_with_empty_axes', 0) !== 0) return [{ type, dims }];
    const all = none || given.length === dims.length;
    const axes = new Set(none ? dims.keys() : context.axes(given, dims.length));
    const reduced: Dim[] = [];
    dims.forEach((dim, axis) => {
      if (!axes.has(axis)) reduced.push(dim);
      else if (keep) reduced.push(1);
    });
    // Sums of floating-point numbers depend on the order of addition, so integers only.
    const elements =
      combine !== undefined && all && isInteger(type) && context.canFold(dims)
        ? context.elements(0)
        : undefined;
    if (combine === undefined || elements === undefined || elements.length === 0)
      return [{ type, dims: reduced }];
    const total = elements.reduce((a: Element, b: Element) =>
      fit(combine(a, b, context.symbols, true), type),
    );
    return [{ type, dims: reduced, elements: [total] }];
  };
}

/** ArgMax and ArgMin: one axis. */
const arg: ShapeRule = (context) => {
  const dims = context.dims(0);
  if (dims === undefined) return [{ type: 'int64', dims }];
  const axis = context.axisAttribute(dims.length, 0);
  const keep = intAttribute(context.node, 'keepdims', 1) !== 0;
  const rest = keep ? dims.map((dim, i) => (i === axis ? 1 : dim)) : dims.filter((_, i) => i !== axis);
  return [{ type: 'int64', dims: rest }];
};

/** The number of the largest: an attribute before set 10, an input since. */
const topK: ShapeRule = (context) => {
  const { type, dims } = context.input(0);
  if (dims === undefined)
    return [
      { type, dims },
      { type: 'int64', dims },
    ];
  const axis = context.axisAttribute(dims.length, -1);
  const given = context.has(1) ? context.elements(1)?.[0] : intAttribute(context.node, 'k');
  if (!context.has(1) && given === undefined) throw context.bad('k is missing');
  const known = typeof given === 'bigint' ? Number(given) : given;
  const k: Dim = known ?? context.fresh(axis);
  const there = dims[axis]!;
  if (typeof k === 'number' && (k < 0 || (typeof there === 'number' && k > there))) {
    throw context.bad(`k is ${k}, the axis has ${there} elements`);
  }
  const kept = dims.map((dim, i) => (i === axis ? k : dim));
  return [
    { type, dims: kept },
    { type: 'int64', dims: kept },
  ];
};

export const REDUCTION_RULES: readonly (readonly [string, ShapeRule])[] = [
  ['ReduceSum', reduction(add)],
  ['ReduceProd', reduction(multiply)],
  ['ReduceMax', reduction(maximum)],
  ['ReduceMin', reduction(minimum)],
  ['ReduceMean', reduction()],
  ['ReduceL1', reduction()],
  ['ReduceL2', reduction()],
  ['ReduceLogSum', reduction()],
  ['ReduceLogSumExp', reduction()],
  ['ReduceSumSquare', reduction()],
  ['ArgMax', arg],
  ['ArgMin', arg],
  ['TopK', topK],
];
