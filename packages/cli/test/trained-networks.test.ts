import { describe, expect, it } from 'vitest';
import { recordOf, sharedFile } from './support/command.js';

interface Trained {
  readonly model: string;
  readonly preprocess: string;
  /** Photos the network is right about, and their class. */
  readonly photos: Readonly<Record<string, number>>;
}

const NETWORKS: readonly Trained[] = [
  {
    model: 'squeezenet1.0-dc.onnx',
    preprocess: 'caffe',
    photos: { 'cc/bird.jpg': 19, 'cc/cat_720p.jpg': 285 },
  },
  {
    model: 'mobilenetv2-1.0-224.onnx',
    preprocess: 'tf',
    photos: { 'cc/cat_720p.jpg': 285, 'cc/parrot.jpg': 88, 'cc/hot_dog.jpg': 934 },
  },
  {
    model: 'mobilenetv1-0.25-128.onnx',
    preprocess: 'tf',
    photos: { 'cc/bird.jpg': 19, 'cc/cat_720p.jpg': 285, 'cc/parrot.jpg': 88 },
  },
  {
    model: 'resnet20-cifar10.onnx',
    preprocess: 'cifar10',
    photos: {
      'cifar10/airplane/0002.jpg': 0,
      'cifar10/automobile/0000.jpg': 1,
      'cifar10/frog/0000.jpg': 6,
      'cifar10/horse/0000.jpg': 7,
      'cifar10/ship/0000.jpg': 8,
      'cifar10/truck/0000.jpg': 9,
    },
  },
  {
    model: 'resnet8-cifar10-mlperf.onnx',
    preprocess: 'raw255',
    photos: {
      'cifar10/airplane/0001.jpg': 0,
      'cifar10/automobile/0000.jpg': 1,
      'cifar10/frog/0003.jpg': 6,
      'cifar10/horse/0000.jpg': 7,
      'cifar10/ship/0001.jpg': 8,
      'cifar10/truck/0000.jpg': 9,
    },
  },
];

for (const { model, preprocess, photos } of NETWORKS) {
  const paths = [`data/models/${model}`, ...Object.keys(photos).map((name) => `data/images/${name}`)];
  const files = paths.map(sharedFile).filter((file) => file !== undefined);

  describe.skipIf(files.length < paths.length)(model, { timeout: 60_000 }, () => {
    it('says what the photos show, and explains it by every method', async () => {
      const record = await recordOf(['explain', ...files, '--preprocess', preprocess, '--method', 'all']);
      const found = record.samples.map(({ target }: { target: number }) => target);
      expect(found).toEqual(Object.values(photos));
      for (const { method, min, max } of record.explanations) {
        expect(Number.isFinite(max) && Number.isFinite(min) && max > min, method).toBe(true);
      }
    });
  });
}
