import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { RgbPicture } from '../../src/index.js';

/** A folder that is removed when the test file has run. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'unitscope-data-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A picture whose every byte is `level(x, y, channel)`. */
export function picture(
  width: number,
  height: number,
  level: (x: number, y: number, channel: number) => number,
): RgbPicture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const pixel = Math.floor(i / 3);
    data[i] = level(pixel % width, Math.floor(pixel / width), i % 3);
  }
  return { width, height, channels: 3, data };
}

/** Rough texture without symmetry. */
export const texture = (x: number, y: number, channel: number): number =>
  (x * 37 + y * 59 + channel * 83 + x * y * 11) % 256;
