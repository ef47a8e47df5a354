import { parseJsonFile } from '@unitscope/data';
import type { Layer, Model } from '@unitscope/model';
import { UnitscopeError } from '@unitscope/tensor';
import type { UnitChange } from '@unitscope/visualization';
import { z } from 'zod';

const schema = z.object({
  method: z.literal('network-dissection'),
  model: z.object({ sha256: z.string() }),
  layer: z.string(),
  parameters: z.object({ iouThreshold: z.number() }),
  units: z.array(
    z.object({
      unit: z.int().nonnegative(),
      label: z.object({ name: z.string(), category: z.string() }).nullable(),
      iou: z.number(),
    }),
  ),
});

/** The concept a unit detects. */
export interface DetectedConcept {
  readonly concept: string;
  readonly category: string;
  readonly iou: number;
}

/** The units of a layer that detect a concept, by their numbers: those whose IoU is above the dissection's threshold. */
export type Detectors = ReadonlyMap<number, DetectedConcept>;

/**
 * The detectors in a `dissection.json` of `unitscope dissect`. Throws `not-found`, `bad-file` naming what is wrong, and
 * `wrong-use` where it is of another network or layer.
 */
export async function readDetectors(path: string, { sha256 }: Model, { name }: Layer): Promise<Detectors> {
  const { model, layer, parameters, units } = await parseJsonFile(path, schema, 'dissection');
  const refuse = (why: string) => new UnitscopeError('wrong-use', why, { subject: path });
  if (model.sha256 !== sha256) {
    throw refuse(`${path} dissects another network (sha256 ${model.sha256}); dissect this one`);
  }
  if (layer !== name) throw refuse(`${path} dissects ${layer}, not ${name}; name that layer by --layer`);
  return new Map(
    units.flatMap(({ unit, label, iou }): [number, DetectedConcept][] =>
      label === null || iou <= parameters.iouThreshold
        ? []
        : [[unit, { concept: label.name, category: label.category, iou }]],
    ),
  );
}

/** How much the detectors of one concept saw before and after. */
export interface ConceptChange {
  readonly concept: string;
  readonly category: string;
  readonly units: readonly number[];
  /** The sum over the units of the mean of their maps. */
  readonly before: number;
  readonly after: number;
}

/** All concepts that units detect, those whose detectors changed most first; of equals by name. */
export function conceptChanges(changes: readonly UnitChange[], detectors: Detectors): ConceptChange[] {
  const found = new Map<string, { category: string; units: number[]; before: number; after: number }>();
  for (const { unit, mean } of changes) {
    const detected = detectors.get(unit);
    if (detected === undefined) continue;
    const { concept, category } = detected;
    const sums = found.get(concept) ?? { category, units: [], before: 0, after: 0 };
    sums.units.push(unit);
    sums.before += mean.before;
    sums.after += mean.after;
    found.set(concept, sums);
  }
  const size = ({ before, after }: ConceptChange) => Math.abs(after - before);
  return [...found]
    .map(([concept, sums]) => ({ concept, ...sums, units: sums.units.toSorted((a, b) => a - b) }))
    .sort((a, b) => size(b) - size(a) || (a.concept < b.concept ? -1 : 1));
}
