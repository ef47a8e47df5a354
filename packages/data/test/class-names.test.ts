import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readClassNames } from '../src/index.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();
const put = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('readClassNames', () => {
  it.each([
    ['list.json', ['cat', 'dog']],
    [
      'records.json',
      [
        { index: 1, wnid: 'n2', label: 'dog' },
        { index: 0, wnid: 'n1', label: 'cat' },
      ],
    ],
    ['unnumbered.json', [{ label: 'cat' }, { name: 'dog' }]],
    ['keyed.json', { 1: 'dog', 0: 'cat' }],
    ['pairs.json', { 0: ['n1', 'cat'], 1: ['n2', 'dog'] }],
  ])('reads %s', async (name, value) => {
    expect(await readClassNames(put(name, JSON.stringify(value)))).toEqual(['cat', 'dog']);
  });

  it('reads lines', async () => {
    expect(await readClassNames(put('a.txt', '\uFEFFcat\r\n dog \r\n\r\nfish\n\n'))).toEqual([
      'cat',
      'dog',
      '',
      'fish',
    ]);
  });

  it.each([
    ['not.json', '{', /it is not JSON/],
    ['number.json', '5', /it is neither a list nor an object/],
    ['empty.json', '[]', /it is empty/],
    ['empty.txt', '\n', /it has no lines/],
    ['gap.json', '{"0": "a", "2": "b"}', /class 1 is missing/],
    ['twice.json', '[{"index": 0, "label": "a"}, {"index": 0, "label": "b"}]', /class 0 is given twice/],
    ['key.json', '{"cat": "a"}', /"cat" is not the index of a class/],
    ['nameless.json', '[{"id": 5}]', /class 0 has no name/],
    ['nested.json', '{"0": {"label": 5}}', /class 0 has no name/],
  ])('says what is wrong with %s', async (name, content, message) => {
    const path = put(name, content);
    await expect(readClassNames(path)).rejects.toMatchObject({
      code: 'bad-file',
      subject: path,
      message: expect.stringMatching(message),
    });
  });

  it('says when the file is missing', async () => {
    await expect(readClassNames(join(folder, 'none.txt'))).rejects.toMatchObject({ code: 'not-found' });
  });
});
