import { mkdirSync } from 'node:fs';
import { Random } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import type { TemporaryFolder } from './files.js';

export const CLASSES = ['sky', 'road', 'car'];

/** A data set of index masks: noise whose brightness follows the class, in patches of 4 x 4. */
export function labelledPictures(folder: TemporaryFolder, name: string, count: number, side = 8): string {
  for (const part of ['images', 'masks']) mkdirSync(folder.at(`${name}/${part}`), { recursive: true });
  folder.write(`${name}/classes.json`, JSON.stringify(CLASSES));
  for (let i = 0; i < count; i++) {
    const random = new Random(i + 1);
    const patches = Array.from({ length: (side / 4) ** 2 }, () => Math.floor(3 * random.uniform()));
    const mask = Uint8Array.from({ length: side * side }, (_, pixel) => {
      const [row, column] = [Math.floor(pixel / side), pixel % side];
      return patches[Math.floor(row / 4) * (side / 4) + Math.floor(column / 4)]!;
    });
    const data = Uint8Array.from({ length: side * side * 3 }, (_, byte) =>
      Math.floor(80 * mask[Math.floor(byte / 3)]! + 60 * random.uniform()),
    );
    const number = String(i).padStart(3, '0');
    folder.write(`${name}/images/${number}.png`, encodePng({ width: side, height: side, channels: 3, data }));
    folder.write(
      `${name}/masks/${number}.png`,
      encodePng({ width: side, height: side, channels: 1, data: mask }),
    );
  }
  return folder.at(name);
}
