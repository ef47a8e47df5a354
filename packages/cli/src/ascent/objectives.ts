import { readFile } from 'node:fs/promises';
import { readNpy, reasonOf, toFloat32, UnitscopeError } from '@unitscope/tensor';
import type { AscentObjective } from '@unitscope/visualization';
import { InvalidArgumentError } from 'commander';
import { parseTarget } from '../options.js';
import { nameClass } from '../summary.js';

/** What one picture is to raise, with its name for people. */
export interface Aim {
  readonly label: string;
  readonly objective: AscentObjective;
  /** The class, where it is one. */
  readonly target?: number;
}

/** `3` (its middle), `3,10,12` or `3,mean`. */
export interface UnitAim {
  readonly channel: number;
  readonly position: 'centre' | 'mean' | readonly [number, number];
}

/** Collects the units that are named by `--unit`, which may be given several times. */
export function collectUnit(text: string, before: readonly UnitAim[] = []): readonly UnitAim[] {
  const match = /^(\d+)(?:,(?:(\d+),(\d+)|(mean)))?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('It must be C, C,Y,X or C,mean, counted from 0.');
  const channel = Number(match[1]);
  const [, , row, column, mean] = match;
  const position =
    row !== undefined ? ([Number(row), Number(column)] as const) : mean === undefined ? 'centre' : 'mean';
  return [...before, { channel, position }];
}

/** The classes of a list by commas; a name that has commas itself counts as one. */
export function classAims(text: string, classNames: readonly string[] | undefined): Aim[] {
  const whole = classNames?.some((name) => name.toLowerCase() === text.toLowerCase()) === true;
  return (whole ? [text] : text.split(',')).map((part): Aim => {
    const target = parseTarget(part.trim(), classNames);
    if (target === 'top1') {
      throw new UnitscopeError('wrong-use', 'top1 is of a picture; name the class to raise');
    }
    return { label: nameClass(target, classNames), target, objective: { kind: 'class', target } };
  });
}

export function unitAims(layer: string, units: readonly UnitAim[]): Aim[] {
  return units.map(({ channel, position }): Aim => {
    if (position === 'mean') {
      return { label: `${layer} ${channel}`, objective: { kind: 'channel', layer, channel } };
    }
    const at = position === 'centre' ? 'middle' : position.join(',');
    return { label: `${layer} ${channel}, ${at}`, objective: { kind: 'unit', layer, channel, position } };
  });
}

/** The directions of a file: `.npy` of [C], or [K, C] for K of them. */
export async function directionAims(layer: string, path: string): Promise<Aim[]> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new UnitscopeError('not-found', `cannot read directions ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  });
  const { dims, data } = toFloat32(readNpy(bytes, path));
  const channels = dims.at(-1) ?? 0;
  if (dims.length < 1 || dims.length > 2 || data.length === 0) {
    throw new UnitscopeError(
      'bad-input',
      `${path} has dims [${dims.join(', ')}]; directions are [C], or [K, C] for several`,
      { subject: path },
    );
  }
  return Array.from(
    { length: data.length / channels },
    (_, i): Aim => ({
      label: `${layer}, direction ${i}`,
      objective: { kind: 'direction', layer, direction: data.subarray(i * channels, (i + 1) * channels) },
    }),
  );
}
