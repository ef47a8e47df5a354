import { mkdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());

for (const part of ['birds/images/001.Gull', 'birds/images/002.Wren', 'birds/parts'])
  mkdirSync(folder.at(part), { recursive: true });
const PICTURES = ['001.Gull/a.png', '002.Wren/b.png', '001.Gull/c.png', '002.Wren/d.png', '001.Gull/e.png'];
const lines = (line: (id: number) => string) => PICTURES.map((_, i) => `${i + 1} ${line(i + 1)}\n`).join('');
PICTURES.forEach((name, i) => {
  folder.picture(`birds/images/${name}`, 60, i + 1);
});
for (const [file, text] of [
  ['images.txt', lines((id) => PICTURES[id - 1]!)],
  ['classes.txt', '1 001.Gull\n2 002.Wren\n'],
  ['image_class_labels.txt', lines((id) => (id % 2 === 1 ? '1' : '2'))],
  ['bounding_boxes.txt', lines(() => '0.0 0.0 60.0 60.0')],
  ['parts/parts.txt', '1 back\n'],
  ['parts/part_locs.txt', lines((id) => `1 ${10 * id}.0 20.0 1`)],
  ['train_test_split.txt', lines((id) => (id < 4 ? '1' : '0'))],
] as const)
  folder.write(`birds/${file}`, text);

const OPTIONS = ['--data', folder.at('birds'), '--layer', 'act', '--preprocess', 'cifar10'];

it.each([
  ['train', 3],
  ['test', 2],
])('dissect and stability are over the pictures of the split %s', async (split, pictures) => {
  for (const command of ['dissect', 'stability']) {
    const out = folder.at(`${command}-${split}`);
    await recordOf([command, model, ...OPTIONS, '--split', split, '--out', out]);
    const file = command === 'dissect' ? 'dissection.json' : 'stability.json';
    const { data } = JSON.parse(readFileSync(`${out}/${file}`, 'utf8'));
    expect(data).toMatchObject({ format: 'cub', split, pictures });
  }
});

it('a split that is not there, or of a layout without splits, is refused in one line', async () => {
  const refused = async (args: readonly string[]) => {
    const { code, err } = await unitscope([...args, '--out', folder.at('refused')]);
    expect(code).not.toBe(0);
    return err;
  };
  expect(await refused(['dissect', model, ...OPTIONS, '--split', 'val'])).toMatch(
    /^unitscope: [^\n]+ has no split "val"; there are: train, test\n$/,
  );
  const points = folder.write(
    'points.json',
    '[{"picture":"a.png","category":"b","box":[0,0,9,9],"landmarks":{}}]',
  );
  expect(await refused(['stability', model, '--data', points, '--layer', 'act', '--split', 'train'])).toMatch(
    /^unitscope: [^\n]+ has no splits[^\n]+\n$/,
  );
});
