import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadPicture, preprocessingPreset, readClassNames } from '../src/index.js';

const shared = fileURLToPath(new URL('../../../../shared', import.meta.url));
const goldens = join(shared, 'goldens', 'trained_resnet20_cifar');
const there = existsSync(goldens) && existsSync(join(shared, 'data', 'images'));
if (!there) console.warn(`SKIPPED: ${shared} is not there, real photos are not compared`);

interface Manifest {
  readonly images: readonly string[];
  readonly tensors: readonly { readonly name: string; readonly file: string }[];
}

describe.skipIf(!there)('real pictures', () => {
  it('reach a small network with the values another pipeline gives', async () => {
    const manifest: Manifest = JSON.parse(readFileSync(join(goldens, 'manifest.json'), 'utf8'));
    const cifar10 = preprocessingPreset('cifar10');
    for (const [i, image] of manifest.images.entries()) {
      const { file } = manifest.tensors.find(({ name }) => name === `img${i}.input`)!;
      const expected = new Float32Array(Uint8Array.from(readFileSync(join(goldens, file))).buffer);
      const { tensor } = await loadPicture(join(goldens, image), cifar10, { height: 32, width: 32 });
      expect(tensor.data.length).toBe(expected.length);
      // One grey level is 0.017; the two pipelines round float32 at different places.
      for (const [k, value] of expected.entries())
        expect(Math.abs(tensor.data[k]! - value)).toBeLessThan(2e-6);
    }
  });

  it('have the class names of the thousand', async () => {
    const names = await readClassNames(join(shared, 'data', 'models', 'imagenet_classes.json'));
    expect(names).toHaveLength(1000);
    expect(names[10]).toBe('brambling');
  });
});
