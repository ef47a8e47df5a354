// Explains in worker threads while the main thread explains too; prints how many different results there were.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Model } from '@unitscope/model';
import { emptyGraph, GraphBuilder } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';

const random = new Random(1);
const builder = new GraphBuilder(emptyGraph('small', 18));
const x = builder.input({ name: 'x', type: 'float32', dims: ['N', 3, 12, 12] });
const weight = builder.constant({ type: 'float32', ...random.normalTensor([8, 3, 3, 3]) }, 'w');
const conv = builder.node('Conv', [x, weight], { kernel_shape: [3, 3] }, { name: 'conv' });
const pool = builder.node('MaxPool', [builder.node('Relu', [conv])], {
  kernel_shape: [2, 2],
  strides: [2, 2],
});
const mean = builder.node('Flatten', [builder.node('GlobalAveragePool', [pool])], { axis: 1 });
builder.output({ name: mean, type: 'float32', dims: ['N', 8] });

async function explain(engine) {
  const model = await Model.load(builder.build(), { engine });
  const pullback = await model.pullback({ kind: 'class' });
  const picture = new Random(2).normalTensor([5, 3, 12, 12]);
  const results = [];
  for (let i = 0; i < 20; i++) results.push((await pullback.run(picture)).signal.data.join());
  // A thread may also end without closing what it has opened.
  if (isMainThread) await model.close();
  return results;
}

if (isMainThread) {
  const [, file, engine] = process.argv;
  const workers = [1, 2].map(
    () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(file, { workerData: engine });
        worker.once('message', resolve);
        worker.once('error', reject);
      }),
  );
  const all = await Promise.all([explain(engine), ...workers]);
  console.log(new Set(all.flat()).size);
} else {
  parentPort.postMessage(await explain(workerData));
}
