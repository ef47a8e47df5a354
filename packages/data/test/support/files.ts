import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';

/** Files of a folder, by their paths in it; undefined for one that is not there. */
export type Files = Readonly<Record<string, string | Uint8Array | undefined>>;

/** Writes them, with the folders they need. */
export function writeFiles(folder: string, files: Files): string {
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) continue;
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return folder;
}

/** A PNG file of 8-bit RGB, pixel by pixel. */
export function encodeRgb(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly [number, number, number],
): Uint8Array {
  const data = Uint8Array.from(
    Array.from({ length: width * height }, (_, i) => colour(i % width, Math.floor(i / width))).flat(),
  );
  return encode({ width, height, channels: 3, depth: 8, data });
}
