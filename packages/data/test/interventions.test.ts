import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readInterventions } from '../src/index.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();
const annotate = () => Promise.reject(new Error('no pixel needs to be known'));
const dataSet = {
  examples: ['a.png', 'b.png'].map((id) => ({ id, path: id, annotate })),
  table: {
    categories: ['part'],
    labels: ['beak', 'tail'].map((name, i) => ({ index: i + 1, name, category: 'part' })),
    pixelLayers: ['part'],
    imageLayers: [],
  },
};
const write = (value: unknown) => {
  const path = join(folder, 'interventions.json');
  writeFileSync(path, JSON.stringify(value));
  return path;
};
const BEAK = { image: 'a.png', part: 'beak', kind: 'removed', file: 'changed/a-beak.png' };

it('are read by the picture they are of', async () => {
  const path = write({
    seed: 7,
    interventions: [
      BEAK,
      { ...BEAK, kind: 'exchanged', donor: 'cat', file: 'b.png' },
      { ...BEAK, part: 'tail', file: 'c.png' },
    ],
  });
  expect([...(await readInterventions(path, dataSet))]).toEqual([
    [
      'a.png',
      [
        { part: 'beak', kind: 'removed', path: join(folder, 'changed/a-beak.png') },
        { part: 'beak', kind: 'exchanged', path: join(folder, 'b.png') },
        { part: 'tail', kind: 'removed', path: join(folder, 'c.png') },
      ],
    ],
  ]);
});

describe('are refused', () => {
  it.each<[string, unknown]>([
    ['field interventions is wrong', {}],
    ['field interventions.0.kind is wrong', { interventions: [{ ...BEAK, kind: 'painted' }] }],
    ['has no picture c.png', { interventions: [{ ...BEAK, image: 'c.png' }] }],
    [
      'has no label "mouth", which changed/a-beak.png is about',
      { interventions: [{ ...BEAK, part: 'mouth' }] },
    ],
    ['beak is removed twice from a.png', { interventions: [BEAK, BEAK] }],
    ['which is not inside', { interventions: [{ ...BEAK, file: '../a.png' }] }],
  ])('%s', async (message, value) => {
    await expect(readInterventions(write(value), dataSet)).rejects.toThrow(message);
  });

  it('without the file', async () => {
    await expect(readInterventions(join(folder, 'nowhere.json'), dataSet)).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
