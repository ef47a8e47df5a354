import {
  type Attribute,
  type Attributes,
  convTransposeGeometry,
  type Dim,
  intAttribute,
  type Node,
  type TransposedGeometry,
} from '@unitscope/onnx';
import { UNITSCOPE_DOMAIN } from '../native-operator.js';
import { labelOf } from '../placement.js';
import {
  type Convolution,
  convolutionInputs,
  filterOf,
  floatsOf,
  groupsAttribute,
  planConvolution,
} from './convolution.js';
import type { Filter } from './filters.js';
import { type BlockedWriter, NCHWC_DOMAIN } from './writer.js';

/**
 * The taps of one axis of a transposed convolution that reach the outputs o = stride q + phase: output q sums
 * weight[taps[j]] input[q + offset + j step] over j. A tap of undefined is a zero.
 */
interface AxisPhase {
  readonly taps: readonly (number | undefined)[];
  readonly offset: number;
  readonly step: number;
  /** How many outputs the phase has. */
  readonly count: number;
}

/**
 * ConvTranspose with constant weights: one convolution of stride 1 per phase of the output, put together by
 * PhaseInterleave. Where the output has so few channels that all phases fit into few blocks, as at a network's input,
 * one convolution makes all phases as channels, and they are put together in NCHW.
 *
 * With p the padding at the beginning, s the stride and d the dilation, output o takes weight k from input
 * (o + p - k d) / s where that is a whole number (Dumoulin and Visin, arXiv 1603.07285, section 4).
 */
export function writeConvTranspose(writer: BlockedWriter, node: Node): boolean {
  const [x, w, b] = node.inputs;
  const [image, output] = [writer.image(x), writer.image(node.outputs[0])];
  const weights = filterOf(writer, w);
  const bias = b === undefined || b === '' ? undefined : floatsOf(writer, b);
  if (image === undefined || output === undefined || weights === undefined) return false;
  if (bias === undefined && (b ?? '') !== '') return false;
  const sizes = numbers(image.dims.slice(2));
  if (sizes === undefined || !writer.canBlock(x!)) return false;
  const geometry = convTransposeGeometry(node, sizes, weights.dims.slice(2));
  const groups = intAttribute(node, 'group', 1);
  const source = { writer, node, x: x!, weights, bias, groups, geometry, batch: image.dims[0] };
  return writeAllPhases(source) || writePhases(source);
}

interface Source {
  readonly writer: BlockedWriter;
  readonly node: Node;
  readonly x: string;
  readonly weights: Filter;
  readonly bias: Float32Array | undefined;
  readonly groups: number;
  readonly geometry: TransposedGeometry;
  readonly batch: Dim;
}

function writePhases(source: Source): boolean {
  const { writer, node, x, geometry, bias } = source;
  const [sh, sw] = geometry.strides as [number, number];
  const sizes = writer.image(x)!.dims.slice(2).map(Number);
  const [rows, columns] = [phasesOf(geometry, 0, sizes[0]!), phasesOf(geometry, 1, sizes[1]!)];
  const pairs = rows.flatMap((row, a) => columns.map((column, c) => ({ row, column, phase: a * sw + c })));
  // A bias reaches phases that no weight does.
  const present = pairs.filter(
    ({ row, column }) => row.count * column.count > 0 && row.taps.length * column.taps.length > 0,
  );
  if (present.length === 0 || (bias !== undefined && present.length < pairs.length)) return false;
  const probe = { filter: phaseFilter(source, present[0]!.row, present[0]!.column), bias };
  if (planConvolution(writer, x, { ...probe, groups: source.groups }) === undefined) return false;
  // Reordered before it is planned for, so that every phase reads it in the blocked layout.
  writer.blocked(x);
  const whole = sh === 1 && sw === 1;
  const names = present.map(({ row, column, phase }) => {
    const convolution = { filter: phaseFilter(source, row, column), bias, groups: source.groups };
    const value = whole ? node.outputs[0] : undefined;
    return writePhase(source, convolution, row, column, `${labelOf(node)}/phase_${phase}`, value);
  });
  if (whole) return true;
  const attributes = interleaving(
    geometry,
    present.map(({ phase }) => phase),
    writer.block,
  );
  const interleaved = { origin: node, operator: 'PhaseInterleave', domain: UNITSCOPE_DOMAIN };
  writer.write({ ...interleaved, inputs: names, attributes }, node.outputs);
  return true;
}

/** Writes the convolution of one phase and gives its output's name. */
function writePhase(
  { writer, node, x, batch }: Source,
  convolution: Convolution,
  row: AxisPhase,
  column: AxisPhase,
  name: string,
  value: string | undefined,
): string {
  const plan = planConvolution(writer, x, convolution)!;
  const [height, width] = writer.image(x)!.dims.slice(2).map(Number) as [number, number];
  const attributes: Attributes = new Map<string, Attribute>([
    ['kernel_shape', { kind: 'ints', value: [row.taps.length, column.taps.length] }],
    ['dilations', { kind: 'ints', value: [row.step, column.step] }],
    [
      'pads',
      { kind: 'ints', value: [-row.offset, -column.offset, endPad(row, height), endPad(column, width)] },
    ],
    ['group', groupsAttribute(writer, plan)],
  ]);
  const inputs = convolutionInputs(writer, x, plan, name);
  const conv = { origin: node, operator: 'Conv', domain: NCHWC_DOMAIN, inputs, attributes };
  if (value !== undefined) return writer.write(conv, [value]).node.outputs[0]!;
  const [outputs] = plan.filter.dims;
  const dims = [batch, writer.padded(outputs), row.count, column.count];
  return writer.writeInner({ ...conv, name }, dims);
}

/**
 * The phases of one axis. Where a phase would start behind the input's beginning or stop before its end, zero taps are
 * added there, since a convolution has no negative padding.
 */
function phasesOf(geometry: TransposedGeometry, axis: number, size: number): AxisPhase[] {
  const stride = geometry.strides[axis]!;
  const dilation = geometry.dilations[axis]!;
  const kernel = geometry.kernel[axis]!;
  const output = geometry.output[axis]!;
  return Array.from({ length: stride }, (_, phase) => {
    const at = phase + geometry.padsBegin[axis]!;
    const reaching = Array.from({ length: kernel }, (_, tap) => kernel - 1 - tap).filter(
      (tap) => (at - tap * dilation) % stride === 0,
    );
    const [last = 0, next] = reaching;
    const step = next === undefined ? 1 : ((last - next) * dilation) / stride;
    const count = Math.max(0, Math.ceil((output - phase) / stride));
    const taps: (number | undefined)[] = [...reaching];
    let offset = (at - last * dilation) / stride;
    while (taps.length > 0 && offset > 0) {
      taps.unshift(undefined);
      offset -= step;
    }
    return reachingEnd({ taps, offset, step, count }, size);
  });
}

function reachingEnd(phase: AxisPhase, size: number): AxisPhase {
  const taps = [...phase.taps];
  while (taps.length > 0 && endPad({ ...phase, taps }, size) < 0) taps.push(undefined);
  return { ...phase, taps };
}

/** Padding behind the end of an input of this size. */
function endPad({ taps, offset, step, count }: AxisPhase, size: number): number {
  return count - 1 + offset + (taps.length - 1) * step - (size - 1);
}

/** The weights [outputs, inputs of a group, taps...] of one phase: ConvTranspose has them by input first. */
function phaseFilter({ weights, groups }: Source, row: AxisPhase, column: AxisPhase): Filter {
  const [inputs, outputs, height, width] = weights.dims;
  const perGroup = inputs / groups;
  const dims = [outputs * groups, perGroup, row.taps.length, column.taps.length] as const;
  const data = new Float32Array(dims[0] * dims[1] * dims[2] * dims[3]);
  let to = 0;
  for (let output = 0; output < dims[0]; output++) {
    const group = Math.floor(output / outputs);
    for (let input = 0; input < perGroup; input++) {
      const from = ((group * perGroup + input) * outputs + (output % outputs)) * height * width;
      for (const h of row.taps) {
        for (const v of column.taps) {
          data[to++] = h === undefined || v === undefined ? 0 : weights.data[from + h * width + v]!;
        }
      }
    }
  }
  return { dims, data };
}

/** All phases as channels of one convolution, where that takes fewer products than one for each. */
function writeAllPhases(source: Source): boolean {
  const { writer, node, x, weights, geometry, groups, bias, batch } = source;
  const [sh, sw] = geometry.strides as [number, number];
  const channels = weights.dims[1];
  if (groups !== 1 || bias !== undefined || sh * sw === 1 || channels >= writer.block) return false;
  if (geometry.dilations.some((dilation) => dilation !== 1)) return false;
  const [rows, columns] = writer
    .image(x)!
    .dims.slice(2)
    .map((size, axis) => commonWindow(phasesOf(geometry, axis, Number(size)), Number(size))) as [
    AxisPhase[] | undefined,
    AxisPhase[] | undefined,
  ];
  if (rows === undefined || columns === undefined) return false;
  const filters = rows.flatMap((row) => columns.map((column) => phaseFilter(source, row, column)));
  const [, inputs, height, width] = filters[0]!.dims;
  const together = writer.padded(channels * sh * sw) * height * width;
  const apart = writer.padded(channels) * weights.dims[2] * weights.dims[3];
  if (together >= apart) return false;
  const data = new Float32Array(filters.reduce((total, filter) => total + filter.data.length, 0));
  filters.forEach((filter, i) => {
    data.set(filter.data, i * filter.data.length);
  });
  const filter: Filter = { dims: [channels * sh * sw, inputs, height, width], data };
  writer.blocked(x);
  const [row, column] = [rows[0]!, columns[0]!];
  const stem = labelOf(node);
  const phases = writePhase(source, { filter, bias, groups }, row, column, `${stem}/phases`, undefined);
  const inner = {
    origin: node,
    name: `${stem}/ReorderOutput`,
    operator: 'ReorderOutput',
    domain: NCHWC_DOMAIN,
  };
  const channelsOf: Attributes = new Map<string, Attribute>([
    ['channels', { kind: 'int', value: filter.dims[0] }],
    ['channels_last', { kind: 'int', value: 0 }],
  ]);
  const stacked = [batch, filter.dims[0], row.count, column.count];
  const reordered = writer.writeInner(
    { ...inner, inputs: [phases], attributes: channelsOf },
    stacked,
    'nchw',
  );
  writeStackedPhases(source, reordered, [row.count, column.count]);
  return true;
}

/**
 * Phases that stand one after the other as channels, in NCHW, put together: six times as fast as DepthToSpace, which
 * would have to be cut besides where the output's sizes are no multiples of the strides.
 */
function writeStackedPhases(source: Source, stacked: string, counts: readonly [number, number]): void {
  const { writer, node, geometry, weights, batch } = source;
  const { builder } = writer;
  const [sh, sw] = geometry.strides as [number, number];
  const sizes = geometry.output as [number, number];
  const channels = weights.dims[1];
  const stem = labelOf(node);
  const split = { origin: node, domain: '', attributes: CHANNEL_AXIS };
  const isWhole = counts[0] * sh === sizes[0] && counts[1] * sw === sizes[1];
  const phases = isWhole
    ? writer.writeInnerParts(
        {
          ...split,
          operator: 'Split',
          name: `${stem}/Split`,
          inputs: [stacked, builder.ints(new Array<number>(sh * sw).fill(channels))],
        },
        new Array<readonly Dim[]>(sh * sw).fill([batch, channels, ...counts]),
      )
    : Array.from({ length: sh * sw }, (_, phase) => {
        const rows = Math.ceil((sizes[0] - Math.floor(phase / sw)) / sh);
        const columns = Math.ceil((sizes[1] - (phase % sw)) / sw);
        const bounds = [
          [phase * channels, 0, 0],
          [(phase + 1) * channels, rows, columns],
          [1, 2, 3],
        ];
        const inputs = [stacked, ...bounds.map((values) => builder.ints(values))];
        const slice = { ...split, operator: 'Slice', name: `${stem}/Slice`, inputs, attributes: new Map() };
        return writer.writeInner(slice, [batch, channels, rows, columns], 'nchw');
      });
  const attributes = interleaving(
    geometry,
    phases.map((_, phase) => phase),
    1,
  );
  const interleave = { origin: node, operator: 'PhaseInterleave', domain: UNITSCOPE_DOMAIN };
  writer.writePlain({ ...interleave, inputs: phases, attributes }, node.outputs[0]!);
}

const CHANNEL_AXIS: Attributes = new Map([['axis', { kind: 'int', value: 1 }]]);

function interleaving(geometry: TransposedGeometry, present: readonly number[], block: number): Attributes {
  return new Map<string, Attribute>([
    ['strides', { kind: 'ints', value: geometry.strides }],
    ['sizes', { kind: 'ints', value: geometry.output }],
    ['present', { kind: 'ints', value: present }],
    ['masked', { kind: 'int', value: 0 }],
    ['block', { kind: 'int', value: block }],
  ]);
}

/** The phases of one axis over one window, the widest; undefined where they step differently. */
function commonWindow(phases: readonly AxisPhase[], size: number): AxisPhase[] | undefined {
  const reaching = phases.filter(({ taps }) => taps.length > 0);
  if (reaching.length === 0 || reaching.some(({ step }) => step !== 1)) return undefined;
  const begin = Math.min(...reaching.map(({ offset }) => offset));
  const end = Math.max(...reaching.map(({ offset, taps }) => offset + taps.length));
  const count = Math.max(...phases.map((phase) => phase.count));
  return phases.map(({ taps, offset }) => {
    const widened = Array.from({ length: end - begin }, (_, j) => taps[j + begin - offset]);
    return reachingEnd({ taps: widened, offset: begin, step: 1, count }, size);
  });
}

function numbers(dims: readonly Dim[]): number[] | undefined {
  const sizes = dims.filter((size) => typeof size === 'number');
  return sizes.length === dims.length ? sizes : undefined;
}
