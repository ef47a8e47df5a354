import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { engineNames } from '@unitscope/model';
import { writeFileAtomic } from '@unitscope/tensor';
import { architectureNames } from '@unitscope/training';
import { methods } from '@unitscope/visualization';
import { Command, Option } from 'commander';
import { benchDissect, DEFAULT_NETWORK } from './dissect.js';
import { benchExplain } from './explain.js';
import { benchGraph } from './graph.js';
import { allCorrect, benchKernels } from './kernels.js';
import { networks } from './networks/index.js';
import { plotKernels } from './plots/kernels.js';
import { plotSweeps } from './plots/sweep.js';
import { benchEventLoop, benchMemory } from './process.js';
import { benchRuntime, benchRuntimeMemory } from './runtime.js';
import { benchSweeps } from './sweep.js';
import { benchTrain } from './train.js';
import { benchVisualize } from './visualize.js';

const list = (text: string) => text.split(',').filter((item) => item !== '');
const numbers = (text: string) => list(text).map(Number);

const program = new Command('bench').description('Measures unitscope beside its peers, in one run.');

program
  .command('explain')
  .description('forward and explanations of whole networks, beside ONNX Runtime, torch and Captum')
  .option('--nets <names>', Object.keys(networks).join(', '), list, Object.keys(networks))
  .option('--batches <sizes>', 'batch sizes (default: 1, and 16 or what the network has)', numbers)
  .option('--ways <names>', 'engine/lowering', list, [
    'onnxruntime-node/portable',
    'native/native',
    'native/blocked',
  ])
  .option('--methods <names>', methods.map(({ name }) => name).join(', '), list, [
    'gradient',
    'guided-backprop',
    'deconvolution',
  ])
  .option('--rounds <n>', 'rounds that count', Number, 7)
  .option('--threads <n>', 'threads', Number, availableParallelism())
  .option('--no-peers', 'leave torch and Captum out')
  .option('--json <file>', 'write the result as JSON')
  .action(async (options) => {
    const result = await benchExplain(options, (line) => console.log(line));
    if (options.json !== undefined)
      await writeFileAtomic(options.json, `${JSON.stringify(result, null, 2)}\n`);
  });

program
  .command('visualize')
  .description('methods of many passes in input gradients at the best batch size, beside torch and Captum')
  .option('--nets <names>', Object.keys(networks).join(', '), list, [
    'squeezenet1_1',
    'resnet18',
    'mobilenet_v2',
  ])
  .option('--batches <sizes>', 'among which the best is sought', numbers, [1, 2, 4, 8, 16])
  .option('--way <name>', 'engine/lowering', 'native/blocked')
  .option('--methods <names>', 'those of the table', list, [
    'integrated-gradients',
    'smoothgrad',
    'grad-cam',
    'occlusion',
  ])
  .option('--rounds <n>', 'rounds that count', Number, 7)
  .option('--threads <n>', 'threads', Number, availableParallelism())
  .option('--no-peers', 'leave torch and Captum out')
  .option('--json <file>', 'write the result as JSON')
  .action(async (options) => {
    const result = await benchVisualize(options, (line) => console.log(line));
    await writeResult(result, options.json, undefined, {});
  });

program
  .command('train')
  .description('one step of training, of each architecture, beside torch')
  .option('--nets <names>', architectureNames.join(', '), list, [
    'tiny',
    'resnet-20',
    'alexnet-small',
    'vgg-m-small',
    'vgg-s-small',
    'vgg-16-small',
  ])
  .option('--batch <n>', 'pictures of a step', Number, 32)
  .option('--ways <names>', 'engine/lowering', list, ['native/native', 'native/blocked'])
  .option('--rounds <n>', 'rounds that count', Number, 7)
  .option('--threads <n>', 'threads', Number, availableParallelism())
  .option('--no-peers', 'leave torch out')
  .option('--json <file>', 'write the result as JSON')
  .action(async (options) => {
    const result = await benchTrain(options, (line) => console.log(line));
    await writeResult(result, options.json, undefined, {});
  });

program
  .command('dissect')
  .description('whole dissections of a trained network on drawn pictures, and their phases beside torch')
  .option('--net <file>', 'the ONNX file', DEFAULT_NETWORK)
  .option('--layer <name>', 'its layer', 'last-conv')
  .option('--pictures <counts>', 'how many pictures, such as 500,2000,8000', numbers, [2000])
  .option('--size <s>', 'height and width of the pictures', Number, 224)
  .option('--world <dir>', 'where the pictures lie, or are drawn to (default: under the temporary files)')
  .option('--cache <gigabytes>', 'disk for activations; 0 runs the network twice', numbers, [0, 16])
  .option('--sample <n>', 'pictures for the phases by themselves, held in memory', Number, 128)
  .option('--rounds <n>', 'rounds that count', Number, 3)
  .option('--threads <n>', 'threads', Number, availableParallelism())
  .option('--no-peers', 'leave torch out')
  .option('--json <file>', 'write the result as JSON')
  .action(async (options) => {
    const result = await benchDissect(options, (line) => console.log(line));
    if (result !== undefined) await writeResult(result, options.json, undefined, {});
  });

program
  .command('graph')
  .description('learning of explanatory graphs, by pictures and by filters')
  .option('--pictures <counts>', 'how many pictures', numbers, [100, 200, 300])
  .option('--filters <counts>', 'how many filters of each of two layers', numbers, [64, 128, 256])
  .option('--iterations <n>', 'of each layer', Number, 20)
  .option('--threads <n>', 'threads', Number, availableParallelism())
  .option('--json <file>', 'write the result as JSON')
  .action(async ({ json, ...options }) => {
    const result = await benchGraph(options, (line) => console.log(line));
    await writeResult(result, json, undefined, {});
  });

program
  .command('kernels')
  .description('the native kernels beside what the machine can do at best, and beside torch')
  .option('--threads <counts>', 'thread counts', numbers, [...new Set([1, availableParallelism()])])
  .option('--only <text>', 'only kernels and cases that contain this', '')
  .option('--rounds <n>', 'rounds that count', Number, 9)
  .option('--no-peers', 'leave torch out')
  .option('--json <file>', 'write the result as JSON')
  .option('--out <folder>', 'write kernels.json and the plots roofline.svg and copy-rate.svg')
  .action(async ({ json, out, ...options }) => {
    const result = await benchKernels(options, (line) => console.log(line));
    await writeResult(result, json, out, plotKernels(result));
    if (!allCorrect(result)) process.exitCode = 1;
  });

program
  .command('sweep')
  .description('how the cost of kernels grows with each size, beside how the work grows')
  .option('--threads <n>', 'threads', Number, 1)
  .option('--only <text>', 'only sweeps that contain this, such as miGradient or "over batch"', '')
  .option('--rounds <n>', 'rounds that count', Number, 9)
  .option('--json <file>', 'write the result as JSON')
  .option('--out <folder>', 'write sweep.json and the plot sweep.svg')
  .action(async ({ json, out, ...options }) => {
    const result = await benchSweeps(options, (line) => console.log(line));
    await writeResult(result, json, out, { 'sweep.svg': plotSweeps(result) });
  });

const engine = () => new Option('--engine <name>', 'what runs it').choices([...engineNames]).default('auto');

program
  .command('memory')
  .description('resident memory over many explanations in one process, or over networks loaded and closed')
  .option('--net <name>', 'network', 'squeezenet1_1')
  .addOption(engine())
  .option('--explanations <n>', 'how many', Number, 500)
  .option('--cycles <n>', 'load, explain and close so many times instead', Number)
  .action(async ({ explanations, cycles, ...options }) => {
    const [of, count] =
      cycles === undefined ? (['explanations', explanations] as const) : (['cycles', cycles] as const);
    console.log(JSON.stringify(await benchMemory(options, of, count)));
  });

program
  .command('event-loop')
  .description('the longest gaps of the main thread while a batch is explained, beside an idle process')
  .option('--net <name>', 'network', 'squeezenet1_1')
  .addOption(engine())
  .option('--batch <n>', 'pictures', Number, 16)
  .option('--explanations <n>', 'explanations in a round', Number, 1)
  .option('--rounds <n>', 'rounds', Number, 7)
  .option('--release', 'give the memory of each explanation back before the next', false)
  .action(async (options) => console.log(JSON.stringify(await benchEventLoop(options))));

program
  .command('runtime')
  .description('runs through the binding to ONNX Runtime beside onnxruntime-node, and two models at once')
  .option('--net <name>', 'network', 'squeezenet1_1')
  .option('--batches <sizes>', 'batch sizes', numbers, [1, 16])
  .option('--rounds <n>', 'rounds that count', Number, 15)
  .action(async ({ net, batches, rounds }) => {
    for (const batch of batches) console.log(JSON.stringify(await benchRuntime(net, batch, rounds)));
  });

program
  .command('runtime-memory')
  .description('resident memory over many runs and sessions of the binding to ONNX Runtime')
  .option('--net <name>', 'network', 'squeezenet1_1')
  .option('--runs <n>', 'runs of one session', Number, 10_000)
  .option('--cycles <n>', 'sessions opened, run once and released', Number, 500)
  .action(async ({ net, runs, cycles }) =>
    console.log(JSON.stringify(await benchRuntimeMemory(net, runs, cycles))),
  );

/** Writes the result to a file, and to a folder with its plots, where either is named. */
async function writeResult(
  result: { readonly bench: string },
  file: string | undefined,
  folder: string | undefined,
  plots: Readonly<Record<string, string>>,
): Promise<void> {
  const text = `${JSON.stringify(result, null, 2)}\n`;
  if (file !== undefined) await writeFileAtomic(file, text);
  if (folder === undefined) return;
  for (const [name, content] of Object.entries({ ...plots, [`${result.bench}.json`]: text }))
    await writeFileAtomic(join(folder, name), content);
}

await program.parseAsync();
