import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { opsetOf, readModelFile, upgradeOpset } from '../src/index.js';
import { feed, runGraph } from './upgrade-runtime.js';

const shared = fileURLToPath(new URL('../../../../shared', import.meta.url));
if (!existsSync(shared)) console.warn('skipped: the upgrade of whole networks needs the folder ../shared');

const models = existsSync(shared)
  ? [
      ...readdirSync(`${shared}/data/models`).map((file) => `data/models/${file}`),
      ...readdirSync(`${shared}/goldens`).map((folder) => `goldens/${folder}/model.onnx`),
    ].filter((path) => path.endsWith('.onnx') && existsSync(`${shared}/${path}`))
  : [];

describe.skipIf(models.length === 0)('whole networks, upgraded', { timeout: 60_000 }, () => {
  it.each(models)('%s gives the same outputs', async (path) => {
    const graph = await readModelFile(`${shared}/${path}`);
    const upgraded = upgradeOpset(graph);
    expect(opsetOf(upgraded)).toBe(18);
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, dims }) => [
        name,
        feed(dims!.map((dim) => (typeof dim === 'number' ? dim : 2))),
      ]),
    );
    const before = await runGraph(graph, feeds);
    const after = await runGraph(upgraded, feeds);
    for (const [name, { dims, data }] of before) {
      const results = after.get(name)!;
      expect(results.dims).toEqual(dims);
      const largest = Math.max(...data.map((value) => Math.abs(Number(value))));
      const worst = Math.max(...data.map((value, i) => Math.abs(Number(value) - Number(results.data[i]))));
      expect(largest).toBeGreaterThan(0);
      expect(worst / largest).toBeLessThanOrEqual(1e-6);
    }
  });
});
