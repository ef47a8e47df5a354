import type { Objective } from '@unitscope/autodiff';
import { describe, expect, it } from 'vitest';
import { type PullbackTarget, resolveTargets } from '../src/targets.js';

const logits: Objective = { kind: 'class', value: 'fc' };
const unit = (position: 'given' | 'max' | 'mean'): Objective => ({ kind: 'unit', value: 'relu', position });
const map = ['N', 4, 3, 5];

const numbers = (
  target: PullbackTarget | undefined,
  objective: Objective,
  dims: readonly (number | string)[],
  count = 2,
) => [...resolveTargets(target, objective, dims, count)].map(Number);

describe('resolveTargets', () => {
  it('repeats one target and takes a list as it is', () => {
    expect(numbers(7, logits, ['N', 10])).toEqual([7, 7]);
    expect(numbers([7, 'top1'], logits, ['N', 10])).toEqual([7, -1]);
    expect(numbers(undefined, logits, ['N', 10, 1, 1])).toEqual([-1, -1]);
    expect(numbers([3, 0], unit('max'), map)).toEqual([3, 0]);
  });

  it('counts a position into the flat index', () => {
    expect(numbers({ channel: 2, position: [1, 4] }, unit('given'), map, 1)).toEqual([2 * 15 + 1 * 5 + 4]);
    expect(numbers(9, unit('given'), ['N', 10], 1)).toEqual([9]);
  });

  it.each<[PullbackTarget | undefined, Objective, readonly (number | string)[], string, string]>([
    [10, logits, ['N', 10], 'not-found', 'no class 10; the network has the classes 0 to 9'],
    [-1, logits, ['N', 10], 'not-found', 'no class -1; the network has the classes 0 to 9'],
    [1.5, logits, ['N', 10], 'not-found', 'no class 1.5; the network has the classes 0 to 9'],
    [[1], logits, ['N', 10], 'wrong-use', '1 targets are given for 2 samples; give one for each'],
    [
      { channel: 1, position: [0, 0] },
      logits,
      ['N', 10],
      'wrong-use',
      'a class has no position; give its number',
    ],
    [4, unit('max'), map, 'not-found', 'no unit 4; relu has the units 0 to 3'],
    ['top1', unit('max'), map, 'wrong-use', 'top1 is for classes; give the number of a unit of relu'],
    [undefined, unit('mean'), map, 'wrong-use', 'say which unit of relu to explain, by its number'],
    [1, unit('given'), map, 'wrong-use', 'unit 1 of relu has a map: give a position [row, column] too'],
    [
      { channel: 1, position: [3, 0] },
      unit('given'),
      map,
      'not-found',
      'no position [3, 0] in relu; its map is [3, 5], counted from 0',
    ],
    [
      { channel: 1, position: [0, 0] },
      unit('max'),
      map,
      'wrong-use',
      "a position needs the objective's position to be `given`",
    ],
  ])('refuses %j', (target, objective, dims, code, message) => {
    expect(() => resolveTargets(target, objective, dims, 2)).toThrow(
      expect.objectContaining({ code, message }),
    );
  });
});
