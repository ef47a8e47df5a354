import type { Model } from '@unitscope/model';
import { type Tensor, UnitscopeError, writeNpy, writeNpz } from '@unitscope/tensor';
import type { Explanation } from '@unitscope/visualization';
import type { Drawing } from './drawing.js';
import type { Plan } from './plan.js';
import { samplesOf, topClasses } from './summary.js';
import { version } from './version.js';

const RECORDED_CLASSES = 5;

/** Everything about a result but its maps, for `--json`: what was asked, of what, by what, and what came of it. */
export function explanationRecord(
  { model, inputs, explanations, classNames, unit }: Drawing,
  plans: readonly Plan[],
  options: {
    readonly png?: string;
    readonly raw?: string;
    readonly score: 'logit' | 'probability';
  },
) {
  const [first] = explanations;
  const nameOf = (index: number) => classNames?.[index];
  return {
    unitscope: version,
    model: { path: model.path, sha256: model.sha256 },
    engine: model.engine,
    objective: unit === undefined ? { kind: 'class', score: options.score } : { kind: 'unit', ...unit },
    inputs: inputs.map((input) => input.record),
    samples: samplesOf(inputs).map(({ path, index }, n) => ({
      path,
      index,
      target: first?.target[n],
      ...(unit === undefined
        ? { class: nameOf(first?.target[n] ?? -1) }
        : { position: first?.position?.[n] }),
      score: first?.score[n],
      ...(first?.logits === undefined
        ? {}
        : {
            top: topClasses(first, n, RECORDED_CLASSES).map((entry) => ({
              ...entry,
              class: nameOf(entry.index),
            })),
          }),
    })),
    explanations: explanations.map(({ method, parameters, completeness, map, notes }) => ({
      method,
      parameters,
      ...(completeness === undefined ? {} : { completeness }),
      dims: map.dims,
      ...rangeOf(map),
      notes,
      ...planOf(plans, method),
    })),
    files: { png: options.png, raw: options.raw },
  };
}

function planOf(plans: readonly Plan[], method: string) {
  const plan = plans.find((candidate) => candidate.method === method);
  return plan === undefined ? {} : { plan: { samples: plan.samples, nodes: plan.nodes } };
}

/** What is known before anything is explained: how each method would run. */
export function planRecord(plans: readonly Plan[], { path, sha256, engine }: Model) {
  return { unitscope: version, model: { path, sha256 }, engine, plans };
}

function rangeOf({ data }: Tensor): { min: number; max: number } {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
}

/** The file of the maps of all samples: one array as `.npy`, or each method's under its name as `.npz`. */
export function encodeRaw(path: string, explanations: readonly Explanation[]): Uint8Array {
  if (path.endsWith('.npz')) return writeNpz(new Map(explanations.map(({ method, map }) => [method, map])));
  const [only] = explanations;
  if (only === undefined) throw new UnitscopeError('wrong-use', 'there is no map to write');
  return writeNpy(only.map);
}
