import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Model } from '@unitscope/model';
import { writeModelFile } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { afterAll, describe, expect, it } from 'vitest';
import { compileExplanation, guidedBackprop, standaloneMethods } from '../src/index.js';
import { distance } from './support/runtimes.js';
import { SIDE, smallNetwork } from './support/small-network.js';

const page = readFileSync(new URL('../../../docs/standalone-files.md', import.meta.url), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'unitscope-standalone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('docs/standalone-files.md', () => {
  it('has an example that runs', async () => {
    const model = await Model.load(smallNetwork(), { engine: 'onnxruntime-node' });
    await writeModelFile(join(folder, 'guided.onnx'), compileExplanation(model, 'guided-backprop').graph);
    const code = /```js\n(.*?)```/s.exec(page)![1]!;
    // A module elsewhere finds neither the package by its name nor the file beside it.
    const placed = code
      .replace("'onnxruntime-web'", `'${import.meta.resolve('onnxruntime-web')}'`)
      .replace("'guided.onnx'", JSON.stringify(join(folder, 'guided.onnx')));
    const path = join(folder, 'example.mjs');
    writeFileSync(path, placed);
    const example = await import(pathToFileURL(path).href);
    const picture = new Random(8).normalTensor([1, 2, SIDE, SIDE]);
    for (const target of [-1, 2]) {
      const aim = target === -1 ? ([] as const) : ([target] as const);
      const { map, scores, chosen } = await example.explain(picture.data, picture.dims, ...aim);
      const expected = await guidedBackprop(model, picture, target === -1 ? {} : { target });
      expect(distance(map.data, expected.map.data)).toBeLessThan(1e-5);
      expect(distance(scores, expected.logits!.data)).toBeLessThan(1e-5);
      expect(chosen).toBe(expected.target[0]);
      const grey: Uint8ClampedArray = example.grey(map);
      expect(grey.length).toBe(4 * SIDE * SIDE);
      expect(grey.filter((_, i) => i % 4 === 3).every((alpha) => alpha === 255)).toBe(true);
      expect(grey.some((value, i) => i % 4 !== 3 && (value === 0 || value === 255))).toBe(true);
    }
    await model.close();
  });

  it('names every method', () => {
    for (const { name } of standaloneMethods) expect(page).toContain(`\`${name}\``);
  });
});
