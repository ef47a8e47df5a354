import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type JsonElement, readJsonLists } from '../src/json-lists.js';
import { temporaryFolder } from './support/pictures.js';

const path = join(temporaryFolder(), 'lists.json');

async function read(text: string, chunkBytes?: number) {
  writeFileSync(path, text);
  const elements: JsonElement[] = [];
  const bytes: Uint8Array[] = [];
  const found = await readJsonLists(path, ['a', 'b'], 'file', {
    onElement: (element) => elements.push(element),
    onBytes: (chunk) => bytes.push(Uint8Array.from(chunk)),
    ...(chunkBytes === undefined ? {} : { chunkBytes }),
  });
  expect(Buffer.concat(bytes).toString()).toBe(text);
  return { elements, found };
}

describe('lists of a JSON file', () => {
  it('are what JSON.parse makes of it, wherever the file is cut', async () => {
    const list = fc.array(fc.jsonValue(), { maxLength: 4 });
    const file = fc.record(
      { a: list, x: fc.jsonValue(), b: list, 'y[{"': fc.jsonValue() },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(
        file,
        fc.constantFrom(undefined, 1, '\t'),
        fc.integer({ min: 1, max: 64 }),
        async (value, indent, chunk) => {
          const text = JSON.stringify(value, undefined, indent);
          const { elements, found } = await read(text, chunk);
          const expected: Record<string, unknown> = JSON.parse(text);
          for (const name of ['a', 'b']) {
            const own = elements.filter((element) => element.list === name);
            expect(found.has(name)).toBe(name in expected);
            expect(own.map((element) => element.value)).toEqual(expected[name] ?? []);
            expect(own.map(({ index }) => index)).toEqual(own.map((_, i) => i));
          }
          for (const { value: element, start, end } of elements)
            expect(JSON.parse(readFileSync(path).subarray(start, end).toString())).toEqual(element);
        },
      ),
    );
  });

  it('are refused where JSON.parse refuses the file', async () => {
    const text = '{"a": [1, {"c": "]"}], "x": {"y": [2]}, "b": []}';
    // One character left out, doubled, or exchanged, at every place.
    const mutants = [...text].flatMap((character, i) =>
      ['', character + character, ',', '}', '[', '"'].map(
        (other) => text.slice(0, i) + other + text.slice(i + 1),
      ),
    );
    for (const mutant of new Set([...mutants, '', ' ', '{', `${text}x`, `x${text}`, text.slice(0, -1)])) {
      let value: unknown;
      try {
        value = JSON.parse(mutant);
      } catch {
        // What else is wrong with it may be noticed first.
        await expect(read(mutant, 7), mutant).rejects.toMatchObject({ code: 'bad-file' });
        continue;
      }
      const { a = [], b = [] } = z.object({ a: z.unknown(), b: z.unknown() }).partial().parse(value);
      if (!Array.isArray(a) || !Array.isArray(b)) {
        await expect(read(mutant, 7), mutant).rejects.toThrow('that is not a list');
        continue;
      }
      const { elements } = await read(mutant, 7);
      expect(elements.map((element) => element.value)).toEqual([...a, ...b]);
    }
  });

  it.each([
    ['[1]', 'is wrong (it must be an object)'],
    ['7', 'is wrong (it must be an object)'],
    ['{"a": [], "a": []}', 'holds a twice'],
    ['{"a": {}}', 'holds a that is not a list'],
  ])('of %s are refused', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('need a file', async () => {
    await expect(
      readJsonLists(join(path, 'missing'), [], 'file', { onElement: () => {} }),
    ).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
