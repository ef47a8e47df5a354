import { join } from 'node:path';
import { type DissectedUnit, enlargeMaps, placeCells } from '@unitscope/metrics';
import { sliceBatch, writeFileAtomic } from '@unitscope/tensor';
import { encodePng, montage, outlineMask, type Tile } from '@unitscope/visualization';
import { version } from '../version.js';
import type { DissectionResult } from './results.js';
import type { DissectionSource, PictureBatch } from './source.js';

const PICTURES_EACH = 5;
const MOST_UNITS = 200;
const OVERVIEW_CONCEPTS = 12;
const TILE_SIZE = 160;

/**
 * The pictures that activate the units most, with the units' masks outlined: `units/<unit>.png` of every detector, the
 * 200 of the highest IoU at most, and the best one of every concept together in `units.png`. Nothing without detectors or
 * pictures. Returns the files' names.
 */
export async function drawUnits(
  folder: string,
  source: DissectionSource,
  result: DissectionResult,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<string[]> {
  const { iouThreshold } = result.passes.counts.identity.parameters;
  const units = result.units
    .filter(({ best }) => best !== undefined && best.iou > iouThreshold)
    .sort((a, b) => b.best!.iou - a.best!.iou || a.unit - b.unit)
    .slice(0, MOST_UNITS);
  if (source.pictures === undefined || units.length === 0) return [];
  const rows = await tilesOf(source.pictures, result, units, signal, onProgress);
  const written: string[] = [];
  const write = async (name: string, shown: readonly DissectedUnit[]) => {
    const tiles = shown.flatMap(({ unit }) => rows.get(unit) ?? []);
    const title = shown.length === 1 ? '' : 'for each concept the unit that matches it best';
    const picture = montage(tiles, { title, columns: PICTURES_EACH, tileSize: TILE_SIZE });
    await writeFileAtomic(
      join(folder, name),
      encodePng(picture, { text: { Software: `unitscope ${version}` } }),
    );
    written.push(name);
  };
  for (const unit of units) await write(join('units', `${String(unit.unit).padStart(4, '0')}.png`), [unit]);
  const best = units.filter(
    ({ best: match }, i) => units.findIndex((other) => other.best!.label.index === match!.label.index) === i,
  );
  await write('units.png', best.slice(0, OVERVIEW_CONCEPTS));
  return written;
}

/** Every unit's tiles, its strongest picture first. */
async function tilesOf(
  read: (numbers: readonly number[], signal: AbortSignal) => AsyncIterable<PictureBatch>,
  { passes }: DissectionResult,
  units: readonly DissectedUnit[],
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<Map<number, Tile[]>> {
  const top = passes.thresholds.top.result();
  const wanted = units.map((unit) => ({ ...unit, pictures: (top[unit.unit] ?? []).slice(0, PICTURES_EACH) }));
  const numbers = [...new Set(wanted.flatMap(({ pictures }) => pictures.map(({ picture }) => picture)))];
  numbers.sort((a, b) => a - b);
  const rows = new Map(wanted.map(({ unit, pictures }) => [unit, new Array<Tile>(pictures.length)]));
  let done = 0;
  onProgress(done, numbers.length);
  for await (const batch of read(numbers, signal)) {
    for (const [i, number] of batch.numbers.entries()) {
      for (const unit of wanted) {
        const place = unit.pictures.findIndex(({ picture }) => picture === number);
        if (place !== -1) rows.get(unit.unit)![place] = tileOf(batch, i, unit, passes, place);
      }
    }
    done += batch.numbers.length + batch.skipped.length;
    onProgress(done, numbers.length);
  }
  // What could be read in the passes can be read now, unless a file has gone since.
  return new Map([...rows].map(([unit, tiles]) => [unit, tiles.filter((tile) => tile !== undefined)]));
}

function tileOf(
  { activations, pictures }: PictureBatch,
  i: number,
  unit: DissectedUnit,
  { counts }: DissectionResult['passes'],
  place: number,
): Tile {
  const { parameters, geometry } = counts.identity;
  const picture = pictures[i]!;
  const pixels = [picture.height, picture.width] as const;
  const [, units = 0, height = 0, width = 0] = activations.dims;
  const cells = height * width;
  const start = unit.unit * cells;
  const map = sliceBatch(activations, i, i + 1).data.subarray(start, start + cells);
  const placement = placeCells(parameters, { ...geometry, pixels, input: pixels });
  const enlarged = enlargeMaps(
    { dims: [1, units === 0 ? 0 : 1, height, width], data: map },
    placement,
    pixels,
  );
  const mask = enlarged.data.map((value) => (value > unit.threshold ? 1 : 0));
  return {
    picture: outlineMask(picture, mask),
    label: place === 0 ? titleOf(unit) : '',
  };
}

/** Two lines that fit under a tile. */
function titleOf({ unit, best }: DissectedUnit): string {
  return `${best?.label.name ?? ''} ${best?.iou.toFixed(3) ?? ''}\nunit ${unit}`;
}
