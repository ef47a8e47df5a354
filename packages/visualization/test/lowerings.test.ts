import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Model } from '@unitscope/model';
import { Random, type Tensor } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { CONFIGURATIONS, type Configuration } from '../../model/test/support/engines.js';
import { explain, methods } from '../src/index.js';

const folder = fileURLToPath(new URL('../../../../shared/data/models', import.meta.url));
const networks = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.onnx')) : [];
if (networks.length === 0) {
  console.warn('SKIPPED: ../shared/data/models is not there, lowerings are not compared on trained networks');
}

const PICTURES = 5;
const METHODS = methods.filter(({ name }) => ['gradient', 'guided-backprop', 'deconvolution'].includes(name));

/** The relative L2 distance of each picture's map. */
function distances(actual: Tensor, expected: Tensor): number[] {
  const count = expected.dims[0]!;
  const size = expected.data.length / count;
  return Array.from({ length: count }, (_, n) => {
    let [difference, norm] = [0, 0];
    for (let i = n * size; i < (n + 1) * size; i++) {
      difference += (actual.data[i]! - expected.data[i]!) ** 2;
      norm += expected.data[i]! ** 2;
    }
    return norm === 0 ? Math.sign(difference) : Math.sqrt(difference / norm);
  });
}

/** Maps of the top class of seeded pictures of noise, by method. */
async function mapsOn(network: string, configuration: Configuration): Promise<Map<string, Tensor>> {
  const model = await Model.load(join(folder, network), configuration);
  try {
    const pictures = new Random(11).normalTensor([PICTURES, ...model.input.dims!.slice(1).map(Number)]);
    const maps = new Map<string, Tensor>();
    for (const method of METHODS) maps.set(method.name, (await explain(model, method, pictures)).map);
    return maps;
  } finally {
    await model.close();
  }
}

// A sum in another order moves an activation by an ulp or so, and where that decides a ReLU or a maximum the signal
// takes another way from there. That happens in single pictures, in every implementation in float32, so the picture in
// the middle says whether two of them compute the same.
describe.each(networks)('every engine and lowering on %s', (network) => {
  it('draws the same maps', { timeout: 120_000 }, async () => {
    const [first, ...others] = CONFIGURATIONS;
    const expected = await mapsOn(network, first!);
    for (const configuration of others) {
      for (const [method, map] of await mapsOn(network, configuration)) {
        const sorted = distances(map, expected.get(method)!).sort((a, b) => a - b);
        expect(sorted[(PICTURES - 1) / 2], `${method} on ${JSON.stringify(configuration)}`).toBeLessThan(
          1e-5,
        );
      }
    }
  });
});
