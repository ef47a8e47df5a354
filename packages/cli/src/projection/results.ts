import { basename } from 'node:path';
import { cropPicture } from '@unitscope/data';
import { concatBatch, sizeOf, type Tensor, type TensorData, writeNpz } from '@unitscope/tensor';
import { drawProjections, encodePng, type Method } from '@unitscope/visualization';
import { formatNumber } from '../summary.js';
import { version } from '../version.js';
import type { ProjectedRanked, ProjectedTop } from './project-ranked.js';
import type { Ranking, RankingPass } from './rank-pictures.js';

/** The figure of these units; those that are never active are left out of it. Undefined where none is active. */
export function encodeFigure(
  units: readonly ProjectedRanked[],
  { model, layer, preprocessing, top }: Ranking,
  method: Method,
  pictures: number,
): Uint8Array | undefined {
  const active = units.filter((unit) => unit.pictures.length > 0);
  if (active.length === 0) return undefined;
  const figure = drawProjections(
    active.map((unit) => ({ label: labelOf(unit), pictures: unit.pictures })),
    {
      top,
      channelOrder: preprocessing.channelOrder,
      title: [
        `${basename(model.path ?? '')}, ${layer.name}: the ${top} strongest of ${pictures} pictures for each unit`,
        `left: ${method.name}, each with a scale of its own, grey is 0; right: what the unit saw`,
      ].join('\n'),
    },
  );
  return encodePng(figure, { text: { Software: `unitscope ${version}` } });
}

function labelOf({ unit, pictures }: ProjectedRanked): string {
  const [strongest, weakest] = [pictures[0]!, pictures.at(-1)!].map(({ activation }) =>
    formatNumber(Number(activation.toPrecision(3))),
  );
  return `unit ${unit}: ${strongest}${pictures.length > 1 ? ` to ${weakest}` : ''}`;
}

/**
 * The projections of units as `.npz`; of unit 5 with k pictures: `unit5_projections` [k, C, height, width] of the
 * receptive field, 0 beyond the picture, `unit5_pictures` the same of the pictures, uint8 [k, height, width, 3],
 * `unit5_fields` int32 [k, 4] (top, left, height, width), `unit5_positions` int32 [k, 2] (row, column), `unit5_numbers`
 * and `unit5_activations` [k].
 */
export function encodeProjections(units: readonly ProjectedRanked[]): Uint8Array {
  const arrays = new Map<string, Tensor<TensorData>>();
  for (const { unit, pictures } of units) {
    const [first] = pictures;
    if (first === undefined) continue;
    const count = pictures.length;
    const add = (name: string, dims: readonly number[], data: TensorData) =>
      arrays.set(`unit${unit}_${name}`, { dims: [count, ...dims], data });
    const { height, width } = first.field.frame;
    const patches = concatBatch(
      pictures.map(({ patch }): Tensor => ({ dims: [1, ...patch.dims], data: patch.data })),
    );
    add('projections', patches.dims.slice(1), patches.data);
    add('pictures', [height, width, 3], joinCrops(pictures));
    add('fields', [4], Int32Array.from(pictures.flatMap(({ field }) => boxOf(field.frame))));
    add('positions', [2], Int32Array.from(pictures.flatMap(({ position }) => position)));
    add(
      'numbers',
      [],
      Int32Array.from(pictures, ({ number }) => number),
    );
    add(
      'activations',
      [],
      Float32Array.from(pictures, ({ activation }) => activation),
    );
  }
  return writeNpz(arrays);
}

const boxOf = ({ top, left, height, width }: ProjectedTop['field']['frame']) => [top, left, height, width];

/** What the units saw, one after the other, each of the size of the field; 0 beyond the picture. */
function joinCrops(pictures: readonly ProjectedTop[]): Uint8Array {
  const { height, width } = pictures[0]!.field.frame;
  const size = sizeOf([height, width, 3]);
  const joined = new Uint8Array(pictures.length * size);
  for (const [i, { picture, field }] of pictures.entries()) {
    const { frame, inside } = field;
    const crop = cropPicture(picture, inside);
    const rowBytes = inside.width * 3;
    for (let y = 0; y < inside.height; y++) {
      const to = ((inside.top - frame.top + y) * width + (inside.left - frame.left)) * 3;
      joined.set(crop.data.subarray(y * rowBytes, (y + 1) * rowBytes), i * size + to);
    }
  }
  return joined;
}

/** A unit in the record: everything but its arrays. */
export type UnitRecord = ReturnType<typeof unitRecordOf>;

export function unitRecordOf({ unit, pictures }: ProjectedRanked, { dataSet }: Ranking) {
  return {
    unit,
    pictures: pictures.map(({ number, activation, position, field, patch, outside }) => ({
      picture: number,
      id: dataSet.examples[number]!.id,
      activation,
      position,
      field: field.frame,
      inside: field.inside,
      outside,
      /** No signal reached the picture. */
      silent: patch.data.every((value) => value === 0),
    })),
  };
}

/** What a reader of the record and the figure should know of these units. */
export function notesOn(units: readonly UnitRecord[], method: Method): string[] {
  const named = (wanted: readonly UnitRecord[]) => wanted.map(({ unit }) => unit).join(', ');
  const having = (what: (picture: UnitRecord['pictures'][number]) => boolean) =>
    units.filter(({ pictures }) => pictures.some(what));
  const inactive = units.filter(({ pictures }) => pictures.length === 0);
  const silent = having((picture) => picture.silent);
  const wide = having((picture) => picture.outside > NEGLIGIBLE);
  const notes: string[] = [];
  if (inactive.length > 0)
    notes.push(`never active in these pictures, and not in the figure: unit ${named(inactive)}`);
  if (silent.length > 0)
    notes.push(
      `${method.name}: a projection is zero everywhere, since no signal reaches the picture: unit ${named(silent)}`,
    );
  if (wide.length > 0)
    notes.push(
      `a part of the signal lies outside the receptive field, by a gate or a normalisation over the whole map: unit ${named(wide)}`,
    );
  return notes;
}

// Sums of float32 in two orders differ by less.
const NEGLIGIBLE = 1e-6;

/** Everything about the result but its arrays. */
export function recordOf(
  { identity, skipped }: RankingPass,
  { model, layer }: Ranking,
  method: Method,
  units: readonly UnitRecord[],
  notes: readonly string[],
) {
  return {
    ...identity.record,
    method: method.name,
    engine: model.engine,
    receptiveField: layer.receptiveField,
    pictures: identity.count - skipped.length,
    skipped,
    notes: [...notes, ...notesOn(units, method)],
    units,
  };
}
