import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { pngSize, TemporaryFolder } from './support/files.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const command = (name: string, ...options: string[]) => [
  ...['data', 'part-world', '--out', folder.at(name), '--size', '64', '--pictures', '3'],
  ...options,
];

describe('unitscope data part-world', () => {
  it('writes pictures, annotations and interventions, and says so', async () => {
    const { code, out, err } = await unitscope(command('world', '--interventions', '--categories', '4'));
    expect([code, err]).toEqual([0, '']);
    const { annotations, images, categories } = JSON.parse(
      readFileSync(folder.at('world/annotations.json'), 'utf8'),
    );
    const { interventions } = JSON.parse(readFileSync(folder.at('world/interventions.json'), 'utf8'));
    expect(images.length).toBe(3);
    expect(annotations.length).toBeGreaterThan(3 * 7);
    const creatures = categories.filter(
      (category: { supercategory: string }) => category.supercategory === 'object',
    );
    expect(creatures.length).toBe(4);
    expect(pngSize(folder.at('world/images/000002.png'))).toEqual([64, 64]);
    expect(out).toBe(
      `wrote ${folder.at('world/annotations.json')}: 3 pictures of 4 categories\n` +
        `wrote ${folder.at('world/interventions.json')}: ${interventions.length} interventions\n` +
        `drew ${3 + interventions.length} pictures\n`,
    );
  });

  it('goes on with what is there', async () => {
    expect(await recordOf(command('more'))).toMatchObject({ files: 3, drawn: 3, seed: 1, categories: 10 });
    const before = folder.contents();
    expect(await recordOf(command('more'))).toMatchObject({ files: 3, drawn: 0 });
    expect(folder.contents()).toEqual(before);
    const { out } = await unitscope(command('more', '--pictures', '5'));
    expect(out).toMatch(/drew 2 pictures, 3 were there already\n$/);
    expect((await unitscope(command('more', '--quiet'))).out).toBe(
      `wrote ${join(folder.at('more'), 'annotations.json')}: 3 pictures of 10 categories\n`,
    );
  });

  it('is interrupted without a trace', async () => {
    const before = folder.contents();
    const outcome = await unitscope(command('interrupted'), AbortSignal.abort());
    expect(outcome).toEqual({ code: 130, out: '', err: 'unitscope: interrupted\n' });
    expect(folder.contents()).toEqual(before);
  });

  it.each<[string[], RegExp]>([
    [['data', 'part-world'], /required option '--out <dir>' not specified/],
    [['data', 'part-wrld', '--out', 'x'], /unknown command 'part-wrld' \(Did you mean part-world\?\)/],
    [command('no', '--size', '32'), /from 64 to 1024 pixels wide, not 32/],
    [command('no', '--pictures', '0'), /'0' is invalid. It must be a positive integer/],
    [command('no', '--pictures', '1000000'), /1 to 100000 pictures, not 1000000/],
    [command('no', '--categories', '11'), /number of categories .* from 1 to 10, not 11/],
    [command('no', '--seed', '-1'), /'-1' is invalid. It must be an integer from 0 to 4294967295/],
    [command('no', '--seed', '4294967296'), /It must be an integer from 0 to 4294967295/],
  ])('refuses %j', async (args, line) => {
    await expectRefusal(folder, args, 2, line);
  });

  it('refuses the folder of another world', async () => {
    await unitscope(command('mine'));
    await expectRefusal(
      folder,
      command('mine', '--seed', '2'),
      2,
      /mine holds a part world of seed 1, not 2/,
    );
  });

  it('names a folder that cannot be written', async () => {
    folder.write('file', '');
    await expectRefusal(
      folder,
      command('file/world'),
      1,
      /cannot write .*part-world\.json: a part of the path is a file/,
    );
  });
});
