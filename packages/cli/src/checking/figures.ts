import { basename } from 'node:path';
import type { LoadedInput, Preprocessing } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { sliceBatch } from '@unitscope/tensor';
import {
  drawGrid,
  type Explanation,
  encodePng,
  fitTile,
  type InputShiftReport,
  type Picture,
  RANDOMISATION_ORDERS,
  type RandomisationOrder,
  type RandomisationReport,
  type RandomisedMap,
  type ShiftedMap,
} from '@unitscope/visualization';
import { drawMap, photoOf } from '../drawing.js';
import { samplesOf } from '../summary.js';
import { version } from '../version.js';

/** Pictures of which a figure is drawn. */
export const MOST_FIGURES = 8;
const TILE = 112;

/** What figures are drawn of. */
export interface Shown {
  readonly model: Model;
  readonly inputs: readonly LoadedInput[];
  readonly preprocessing: Preprocessing;
}

/** The tiles of figures, drawn as the maps come, so that no map is kept. */
class Tiles {
  readonly #shown: Shown;
  readonly #tiles = new Map<string, readonly Picture[]>();

  constructor(shown: Shown) {
    this.#shown = shown;
  }

  add(key: string, explanation: Explanation): void {
    const count = Math.min(explanation.map.dims[0] ?? 0, MOST_FIGURES);
    const tiles = Array.from({ length: count }, (_, n) =>
      fitTile(drawMap(explanation, sliceBatch(explanation.map, n, n + 1), this.#shown.preprocessing), TILE),
    );
    this.#tiles.set(key, tiles);
  }

  at(key: string, sample: number): Picture | undefined {
    return this.#tiles.get(key)?.[sample];
  }
}

export class ShiftFigures {
  readonly #shown: Shown;
  readonly #tiles: Tiles;

  constructor(shown: Shown) {
    this.#shown = shown;
    this.#tiles = new Tiles(shown);
  }

  add({ shift, name, explanation }: ShiftedMap): void {
    this.#tiles.add(keyOf(shift, name), explanation);
  }

  /** One PNG file for each of the first pictures: a row for each method, a column for each network. */
  encode({ shifts, verdicts }: InputShiftReport): readonly Uint8Array[] {
    return figures(this.#shown, (sample, photo, label) =>
      drawGrid({
        title: `${label}: the input shifted, the scores the same\nbelow each map: largest change / largest value`,
        corner: photo,
        columns: ['as it is', ...shifts.map(({ name }) => `shift: ${name}`)],
        rows: verdicts.map((verdict) => ({
          label: `${verdict.name}: ${verdict.invariant ? 'invariant' : 'not invariant'}`,
          cells: [undefined, ...verdict.shifts].map((deviation) => {
            const picture = this.#tiles.at(keyOf(deviation?.shift, verdict.name), sample);
            if (picture === undefined) return undefined;
            const value = deviation?.deviations[sample];
            return { picture, ...(value === undefined ? {} : { caption: shortNumber(value) }) };
          }),
        })),
        tileSize: TILE,
      }),
    );
  }
}

export class RandomisationFigures {
  readonly #shown: Shown;
  readonly #tiles: Tiles;

  constructor(shown: Shown) {
    this.#shown = shown;
    this.#tiles = new Tiles(shown);
  }

  add({ order, layer, explanation }: RandomisedMap): void {
    this.#tiles.add(keyOf(order, layer, explanation.method), explanation);
  }

  /** For each order PNG files of the first pictures: a row for each method, a column for each network. */
  encode({ results, seed }: RandomisationReport): ReadonlyMap<RandomisationOrder, readonly Uint8Array[]> {
    const made = RANDOMISATION_ORDERS.map((order) => {
      const [first] = results;
      const stops = first?.orders[order] ?? [];
      const what = order === 'cascading' ? 'this layer and all above it' : 'this layer alone';
      const drawn = figures(this.#shown, (sample, photo, label) =>
        drawGrid({
          title: `${label}: ${what} drawn anew (seed ${seed})\nbelow each map: rank correlation with the trained network's`,
          corner: photo,
          columns: ['trained', ...stops.map(({ layer }) => layer)],
          rows: results.map(({ method, orders, verdict }) => {
            const trained = this.#tiles.at(keyOf(undefined, undefined, method), sample);
            const steps = (orders[order] ?? []).map(({ layer, similarities }) => {
              const picture = this.#tiles.at(keyOf(order, layer, method), sample);
              if (picture === undefined) return undefined;
              const value = similarities[sample]?.signed.rankCorrelation ?? Number.NaN;
              return { picture, caption: Number.isNaN(value) ? 'none' : value.toFixed(2) };
            });
            const shown = order === 'cascading' && verdict !== undefined ? `: ${verdict.outcome}` : '';
            return {
              label: `${method}${shown}`,
              cells: [trained === undefined ? undefined : { picture: trained }, ...steps],
            };
          }),
          tileSize: TILE,
        }),
      );
      return [order, stops.length === 0 ? [] : drawn] as const;
    });
    return new Map(made);
  }
}

const keyOf = (...parts: readonly (string | undefined)[]) => JSON.stringify(parts);

function figures(
  { model, inputs, preprocessing }: Shown,
  draw: (sample: number, photo: Picture, label: string) => Picture,
): Uint8Array[] {
  const samples = samplesOf(inputs);
  const photos = inputs.flatMap((input) =>
    Array.from(
      { length: input.tensor.dims[0] ?? 0 },
      (_, index) => () => photoOf(input, index, preprocessing),
    ),
  );
  return photos.slice(0, MOST_FIGURES).map((photo, n) => {
    const label = `${basename(model.path ?? '')}, ${samples[n]!.label}`;
    return encodePng(draw(n, fitTile(photo(), TILE), label), {
      text: {
        Software: `unitscope ${version}`,
        Source: `${basename(model.path ?? '')} sha256 ${model.sha256}`,
      },
    });
  });
}

/** `0`, `2e-5` or `0.31`. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return value < 0.01 ? value.toExponential(0) : value.toPrecision(2);
}
