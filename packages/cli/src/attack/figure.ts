import { basename } from 'node:path';
import { type Preprocessing, rasterisePixels } from '@unitscope/data';
import type { Model } from '@unitscope/model';
import {
  type AttackRecord,
  blankPicture,
  encodePng,
  heatPicture,
  montage,
  overlayMap,
  type Picture,
  paste,
  signedPicture,
  type Tile,
} from '@unitscope/visualization';
import { picturesOf } from '../ascent/pictures.js';
import { drawMap } from '../drawing.js';
import { formatNumber, nameClass, type TopClass } from '../summary.js';
import { version } from '../version.js';
import type { Attacked, SampleMap } from './attack-pictures.js';
import type { Detectors } from './concepts.js';

// What draws charts is loaded when there is something to draw.
const charts = () => import('@unitscope/report');

const SHOWN_CLASSES = 3;
const SHOWN_UNITS = 6;
const SHOWN_CONCEPTS = 6;
const CHART_GAP = 12;
/** Two charts of 640 units are as wide as the six tiles above them. */
const CHART_SCALE = 1.08;
const LONGEST_NAME = 22;
const LEVELS = 255;

/** What all figures of a run have in common. */
export interface FigureContext {
  readonly model: Model;
  readonly layer: string;
  readonly preprocessing: Preprocessing;
  readonly record: AttackRecord;
  readonly classNames: readonly string[] | undefined;
  readonly detectors: Detectors | undefined;
}

/**
 * The PNG file of one picture: original, adversarial and perturbation, the maps before and after, what changed in the
 * layer; below, as charts, classes, units and concepts before and after.
 */
export async function drawAttack(attacked: Attacked, context: FigureContext): Promise<Uint8Array> {
  const { model, record } = context;
  const title = titleOf(attacked, context);
  const top = montage(tilesOf(attacked, context), { title: title.join('\n'), columns: 6 });
  const drawn = await Promise.all(
    (await chartsOf(attacked, context)).map((svg) =>
      rasterisePixels(svg, { scale: CHART_SCALE, background: 'white' }),
    ),
  );
  return encodePng(stacked(top, drawn), {
    text: {
      Software: `unitscope ${version}`,
      Source: `${basename(model.path ?? '')} sha256 ${model.sha256}`,
      Description: [record.method, ...title].join('\n'),
    },
  });
}

function titleOf({ label, sample }: Attacked, { record, classNames, model, layer }: FigureContext): string[] {
  const { before, after, changedAt } = sample;
  const became = after.index === before.index ? 'stays' : 'becomes';
  const when = changedAt === undefined ? '' : `, first at step ${changedAt}`;
  return [
    `${label}: ${nameClass(before.index, classNames)} ${became} ${nameClass(after.index, classNames)}` +
      (sample.success ? when : '; the attack did not succeed'),
    `${basename(model.path ?? '')}, ${describeBall(record)}`,
    `units and change of the layer ${layer}`,
  ];
}

function tilesOf(attacked: Attacked, context: FigureContext): Tile[] {
  const { pictures, perturbation, maps, sample, change } = attacked;
  const { classNames, preprocessing } = context;
  const [original] = picturesOf(pictures.before);
  const [adversarial] = picturesOf(pictures.after);
  const { channelOrder } = preprocessing;
  const named = ({ index, probability }: { index: number; probability: number }) =>
    `${shorten(classNames?.[index] || `class ${index}`)}\n${Math.round(100 * probability)} %`;
  const { linf } = sample.norms;
  const magnified = linf === 0 ? 'none' : `x ${formatNumber(Number((0.5 / linf).toPrecision(2)))}`;
  const { method } = maps.before.explanation;
  return [
    { picture: original!, label: `original\n${named(sample.before)}` },
    { picture: adversarial!, label: `adversarial\n${named(sample.after)}` },
    {
      picture: signedPicture(perturbation, { channelOrder, percentile: 100 }),
      label: `perturbation ${magnified}\nat most ${formatNumber(Number((LEVELS * linf).toPrecision(2)))} levels`,
    },
    { picture: drawn(maps.before, original!, preprocessing), label: `${method}\nbefore` },
    { picture: drawn(maps.after, adversarial!, preprocessing), label: `${method}\nafter` },
    { picture: overlayMap(adversarial!, change.places), label: "change over\nthe layer's units" },
  ];
}

function drawn({ explanation, map }: SampleMap, photo: Picture, preprocessing: Preprocessing): Picture {
  const isOverlay = explanation.form === 'magnitude' && map.dims[1] === 1;
  // A map of zeros would be an overlay of nothing.
  if (isOverlay && map.data.some((value) => value !== 0)) return overlayMap(photo, map);
  return isOverlay ? heatPicture(map) : drawMap(explanation, map, preprocessing);
}

async function chartsOf(attacked: Attacked, context: FigureContext): Promise<string[]> {
  const { classes, change, concepts } = attacked;
  const { classNames, detectors } = context;
  const { barChart } = await charts();
  const pair = (group: string, before: number, after: number) => [
    { group: shorten(group), kind: 'before', value: before },
    { group: shorten(group), kind: 'after', value: after },
  ];
  const { before, after } = classes;
  const shown = new Set(
    [...before.slice(0, SHOWN_CLASSES), ...after.slice(0, SHOWN_CLASSES)].map(({ index }) => index),
  );
  const probability = (list: readonly TopClass[], index: number) =>
    percent(list.find((entry) => entry.index === index)?.probability ?? 0);
  // The number comes first, since names may be equal where they are cut off.
  const visible = [...shown].filter(
    (index) => probability(before, index) > 0 || probability(after, index) > 0,
  );
  const classBars = visible.flatMap((index) =>
    pair(
      classNames?.[index] ? `${index} ${classNames[index]}` : `class ${index}`,
      probability(before, index),
      probability(after, index),
    ),
  );
  const unitBars = change.units.slice(0, SHOWN_UNITS).flatMap(({ unit, mean }) => {
    const concept = detectors?.get(unit)?.concept;
    return pair(
      concept === undefined ? `unit ${unit}` : `${unit} ${concept}`,
      three(mean.before),
      three(mean.after),
    );
  });
  const conceptBars = (concepts ?? [])
    .slice(0, SHOWN_CONCEPTS)
    .flatMap(({ concept, before: old, after: now }) => pair(concept, three(old), three(now)));
  return [
    barChart(classBars, { title: 'Most probable classes', valueLabel: 'probability in %' }),
    barChart(unitBars, {
      title: 'Units that changed most',
      valueLabel: 'mean activation over the map',
    }),
    ...(conceptBars.length === 0
      ? []
      : [
          barChart(conceptBars, {
            title: 'Concepts whose detectors changed most',
            valueLabel: 'mean activation, summed over the units that detect the concept',
          }),
        ]),
  ];
}

/** A picture with others below it, two in a row. */
function stacked(top: Picture, below: readonly Picture[]): Picture {
  const rows = Array.from({ length: Math.ceil(below.length / 2) }, (_, i) => below.slice(2 * i, 2 * i + 2));
  const heights = rows.map((row) => Math.max(...row.map(({ height }) => height)));
  const widths = rows.map((row) => row.reduce((sum, { width }) => sum + width + CHART_GAP, CHART_GAP));
  const height = heights.reduce((sum, own) => sum + own + CHART_GAP, top.height);
  const canvas = blankPicture(Math.max(top.width, ...widths), height, [255, 255, 255]);
  paste(canvas, top, 0, 0);
  let y = top.height;
  for (const [i, row] of rows.entries()) {
    let x = CHART_GAP;
    for (const picture of row) {
      paste(canvas, picture, x, y);
      x += picture.width + CHART_GAP;
    }
    y += heights[i]! + CHART_GAP;
  }
  return canvas;
}

/** `pgd: linf of at most 4 grey levels, 10 steps of 1`; lengths of `l2` where the range of a picture is 1. */
export function describeBall({ method, norm, epsilon, steps, stepSize }: AttackRecord): string {
  const length = (value: number) =>
    norm === 'linf' ? inLevels(value) : formatNumber(Number(value.toPrecision(3)));
  const unit = norm === 'linf' ? 'grey levels' : 'in pictures of 0..1';
  const walk = method === 'fgsm' ? '' : `, ${steps} steps of ${length(stepSize)}`;
  return `${method}: ${norm} of at most ${length(epsilon)} ${unit}${walk}`;
}

/** A part of the range of pictures in grey levels of 0..255. */
export function inLevels(part: number): string {
  return formatNumber(Number((LEVELS * part).toPrecision(3)));
}

const percent = (part: number) => Number((100 * part).toFixed(1));
const three = (value: number) => Number(value.toPrecision(3));

function shorten(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 3).trimEnd()}...` : name;
}
