import type { Preprocessing } from '@unitscope/data';
import type { EngineRecord } from '@unitscope/model';
import type { AttackRecord, ClassStanding, Method } from '@unitscope/visualization';
import { formatNumber, nameClass, type TopClass } from '../summary.js';
import { version } from '../version.js';
import type { Attacked, Probe } from './attack-pictures.js';
import { describeBall, inLevels } from './figure.js';

const RECORDED_CLASSES = 5;
const RECORDED_UNITS = 50;
const RECORDED_CONCEPTS = 50;
const SHOWN_UNITS = 3;
const LEVELS = 255;

/** Everything about one attacked picture but its arrays. */
export type SampleRecord = ReturnType<typeof sampleRecordOf>;

export function sampleRecordOf(
  { path, index, input, sample, classes, change, concepts }: Attacked,
  { detectors }: Probe,
  classNames: readonly string[] | undefined,
  png: string,
) {
  const named = (standing: ClassStanding) => ({ ...standing, class: classNames?.[standing.index] });
  const top = (list: readonly TopClass[]) =>
    list.slice(0, RECORDED_CLASSES).map((entry) => ({ ...entry, class: classNames?.[entry.index] }));
  const { before, after, rounded, target, success, roundedSuccess, changedAt, norms } = sample;
  return {
    path,
    index,
    sha256: input.record.sha256,
    success,
    roundedSuccess,
    changedAt: changedAt ?? null,
    norms: { ...norms, linfLevels: LEVELS * norms.linf, l2Levels: LEVELS * norms.l2 },
    before: { ...named(before), top: top(classes.before) },
    after: { ...named(after), top: top(classes.after) },
    rounded: named(rounded),
    ...(target === undefined ? {} : { target: { before: named(target.before), after: named(target.after) } }),
    units: change.units.slice(0, RECORDED_UNITS).map((unit) => ({
      ...unit,
      ...(detectors === undefined ? {} : { detects: detectors.get(unit.unit) ?? null }),
    })),
    ...(concepts === undefined ? {} : { concepts: concepts.slice(0, RECORDED_CONCEPTS) }),
    png,
  };
}

/** `attack.json`. The numbers of the attack are parts of the range of pictures, 1; `linfLevels` and the like of 255. */
export function recordOf(
  { model, layer, method, options }: Probe,
  {
    attack,
    preprocessing,
    dissection,
    samples,
    notes,
  }: {
    readonly attack: AttackRecord;
    readonly preprocessing: Preprocessing;
    readonly dissection: string | undefined;
    readonly samples: readonly SampleRecord[];
    readonly notes: readonly string[];
  },
) {
  const engine: EngineRecord = model.engine;
  return {
    schema: { name: 'unitscope.attack', version: 1 },
    unitscope: version,
    model: { path: model.path, sha256: model.sha256 },
    engine,
    preprocessing,
    attack: { ...attack, targeted: options.target !== undefined },
    layer: layer.name,
    explanation: methodRecordOf(method),
    ...(dissection === undefined ? {} : { dissection }),
    summary: summaryOf(samples),
    samples,
    notes,
  };
}

function methodRecordOf({ name, parameters }: Method) {
  return { method: name, parameters: parameters ?? {} };
}

function summaryOf(samples: readonly SampleRecord[]) {
  return {
    pictures: samples.length,
    successes: samples.filter(({ success }) => success).length,
    roundedSuccesses: samples.filter(({ roundedSuccess }) => roundedSuccess).length,
  };
}

/** The result in lines of text. */
export function describeAttack(
  { samples, notes, attack, layer }: ReturnType<typeof recordOf>,
  labels: readonly string[],
  classNames: readonly string[] | undefined,
): string[] {
  const { pictures, successes, roundedSuccesses } = summaryOf(samples);
  const named = ({ index, probability }: ClassStanding) =>
    `${nameClass(index, classNames)} ${(100 * probability).toFixed(1)} %`;
  return [
    `${describeBall(attack)}${attack.randomStart ? `, random start of seed ${attack.seed}` : ''}`,
    ...samples.map(({ before, after, changedAt, norms, units }, n) => {
      const when = changedAt === null ? '' : `, first at step ${changedAt}`;
      const most = units.slice(0, SHOWN_UNITS).map((unit) => unit.unit);
      return (
        `${labels[n]}: ${named(before)} to ${named(after)}${when}; linf ${inLevels(norms.linf)} levels, ` +
        `l2 ${formatNumber(norms.l2)}; most changed in ${layer}: ${most.join(', ')}`
      );
    }),
    `${successes} of ${pictures} succeeded, ${roundedSuccesses} after rounding to 8 bits`,
    ...notes.map((note) => `note: ${note}`),
  ];
}
