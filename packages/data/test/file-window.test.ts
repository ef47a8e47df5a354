import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FileWindow } from '../src/file-window.js';
import { temporaryFolder } from './support/pictures.js';

const folder = temporaryFolder();

it('a window of a file gives any part, several at a time', async () => {
  const path = join(folder, 'large');
  const bytes = Buffer.from(Uint8Array.from({ length: 700_000 }, (_, i) => (i * i) >> 3));
  writeFileSync(path, bytes);
  const part = fc.tuple(fc.nat(bytes.length), fc.nat(400_000));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), async (parts) => {
      const window = new FileWindow(path);
      const read = await Promise.all(parts.map(([start, length]) => window.read(start, start + length)));
      for (const [i, [start, length]] of parts.entries())
        expect(read[i]!.equals(bytes.subarray(start, start + length))).toBe(true);
    }),
    { numRuns: 30 },
  );
});

it('a part that could not be read is read when it is asked for again', async () => {
  const path = join(folder, 'late');
  const window = new FileWindow(path);
  await expect(window.read(1, 3)).rejects.toThrow('ENOENT');
  writeFileSync(path, 'abcd');
  expect((await window.read(1, 3)).toString()).toBe('bc');
  // What is held needs no file.
  rmSync(path);
  expect((await window.read(2, 4)).toString()).toBe('cd');
});
