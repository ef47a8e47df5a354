import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { inferShapes, readModelFile } from '../src/index.js';
import { expectShapes, observe } from './shapes-runtime.js';

vi.setConfig({ testTimeout: 120_000 });

const shared = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const models = existsSync(shared) ? findModels() : [];
if (models.length === 0) console.warn(`skipped: shapes of real networks, there are none in ${shared}`);

function findModels(): readonly string[] {
  const trained = readdirSync(`${shared}data/models`)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => `data/models/${name}`);
  const goldens = readdirSync(`${shared}goldens`)
    .map((name) => `goldens/${name}/model.onnx`)
    .filter((path) => existsSync(shared + path));
  return [...trained, ...goldens];
}

describe.skipIf(models.length === 0)('inferShapes over real networks', () => {
  it.each(models)('%s: every value is as ONNX Runtime makes it', async (path) => {
    const graph = await readModelFile(shared + path);
    const shapes = inferShapes(graph);
    const [input] = graph.inputs;
    const [batch, ...sample] = input!.dims!;
    expect(typeof batch).toBe('string');
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        const known = shapes.constant(output) !== undefined;
        const symbols = shapes.dims(output)?.filter((dim) => typeof dim === 'string');
        if (!known)
          expect(
            symbols?.every((dim) => dim === batch),
            `${output}`,
          ).toBe(true);
      }
    }
    for (const size of [1, 3]) {
      const observed = await observe(graph, { [input!.name]: [size, ...sample.map(Number)] });
      expectShapes(shapes, observed, { [String(batch)]: size });
    }
  });
});
