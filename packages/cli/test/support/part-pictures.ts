import { mkdirSync } from 'node:fs';
import { emptyGraph, type Graph, GraphBuilder } from '@unitscope/onnx';
import { encodePng } from '@unitscope/visualization';
import type { TemporaryFolder } from './files.js';

export const SIDE = 8;

/** A rectangle of one colour, [top, left, height, width]. */
interface Patch {
  readonly name: string;
  readonly place: readonly [number, number, number, number];
  readonly color: readonly [number, number, number];
}

/** The patches of a picture: two red parts of a bird, 6 and 4 pixels, and a green stone; moved by the picture's number. */
export function patchesOf(number: number): readonly Patch[] {
  const shift = number % 3;
  return [
    { name: 'head', place: [1, 1 + shift, 2, 3], color: [200, 0, 0] },
    { name: 'tail', place: [5, 1 + shift, 2, 2], color: [100 + 10 * number, 0, 0] },
    { name: 'stone', place: [4, 6, 4, 1], color: [0, 80, 0] },
  ];
}

/** The patches on black, as PNG. */
export function draw(patches: readonly Patch[]): Uint8Array {
  const data = new Uint8Array(SIDE * SIDE * 3);
  for (const { place, color } of patches) {
    const [top, left, height, width] = place;
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) data.set(color, 3 * (y * SIDE + x));
    }
  }
  return encodePng({ width: SIDE, height: SIDE, channels: 3, data });
}

const CATEGORIES = [
  { id: 1, name: 'bird', supercategory: 'object' },
  { id: 2, name: 'head', supercategory: 'part' },
  { id: 3, name: 'tail', supercategory: 'part' },
  { id: 4, name: 'stone', supercategory: 'scenery' },
];

/** A data set of pictures with exact parts, in the format of COCO, and the same pictures without each of the parts. */
export function partPictures(folder: TemporaryFolder, name: string, count: number): string {
  for (const part of ['images', 'changed']) mkdirSync(folder.at(`${name}/${part}`), { recursive: true });
  const [images, annotations, interventions]: object[][] = [[], [], []];
  for (let number = 0; number < count; number++) {
    const patches = patchesOf(number);
    folder.write(`${name}/images/${number}.png`, draw(patches));
    images!.push({ id: number, file_name: `${number}.png`, width: SIDE, height: SIDE });
    const box = [1, 1, 6, 6];
    annotations!.push({ image_id: number, category_id: 1, bbox: box });
    for (const patch of patches) {
      const [top, left, height, width] = patch.place;
      const [bottom, right] = [top + height, left + width];
      annotations!.push({
        image_id: number,
        category_id: CATEGORIES.find((category) => category.name === patch.name)!.id,
        bbox: [left, top, width, height],
        segmentation: [[left, top, right, top, right, bottom, left, bottom]],
      });
      if (patch.name === 'stone') continue;
      const file = `changed/${number}-${patch.name}.png`;
      folder.write(`${name}/${file}`, draw(patches.filter((other) => other !== patch)));
      interventions!.push({ image: `${number}.png`, part: patch.name, kind: 'removed', file });
      // Nothing is known about an exchanged part that the network could be compared with.
      interventions!.push({ image: `${number}.png`, part: patch.name, kind: 'exchanged', file: 'none.png' });
    }
  }
  folder.write(`${name}/annotations.json`, JSON.stringify({ images, annotations, categories: CATEGORIES }));
  folder.write(`${name}/interventions.json`, JSON.stringify({ interventions }));
  return folder.at(name);
}

export const WEIGHT = 0.05;

/** Two classes, whose scores are `WEIGHT` times the mean of red and of green. */
export function colorNetwork(): Graph {
  const builder = new GraphBuilder(emptyGraph('colors', 18));
  const weights = Float32Array.of(WEIGHT, 0, 0, 0, WEIGHT, 0);
  const input = builder.input({ name: 'picture', type: 'float32', dims: ['N', 3, SIDE, SIDE] });
  const filter = builder.constant({ type: 'float32', dims: [2, 3, 1, 1], data: weights }, 'w');
  const conv = builder.node('Conv', [input, filter], {}, { name: 'conv' });
  const mean = builder.node('GlobalAveragePool', [conv], {}, { name: 'mean' });
  const scores = builder.node('Flatten', [mean], { axis: 1 }, { name: 'scores' });
  const probability = builder.node('Softmax', [scores], { axis: 1 }, { name: 'softmax' });
  builder.output({ name: probability, type: 'float32', dims: ['N', 2] });
  return builder.build();
}
