import { chmodSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { Model, openEngine, type Tensors } from '@unitscope/model';
import { type Graph, metadataOf, readModelFile } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { explain, methodNamed } from '@unitscope/visualization';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { flatNetwork, steepNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const openSize = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
const smooth = await folder.model('smooth.onnx', tinyNetwork({ activation: 'Sigmoid' }));

const METHODS = [
  'gradient',
  'guided-backprop',
  'deconvnet',
  'grad-cam',
  'smoothgrad',
  'integrated-gradients',
];

/** The map of a file, by ONNX Runtime as it comes. */
async function mapOf(path: string, feeds: Tensors): Promise<readonly number[]> {
  const engine = await openEngine('onnxruntime-node');
  const session = await engine.load(await readModelFile(path));
  const { map } = await session.run(feeds);
  await engine.close();
  return Array.from(map!.data, Number);
}

describe('compile', () => {
  it.each(METHODS)('writes a file of %s that says what it is and is checked', async (method) => {
    const out = folder.at(`${method}.onnx`);
    const few = { smoothgrad: ['--samples', '3'], 'integrated-gradients': ['--steps', '4'] }[method] ?? [];
    const record = await recordOf(['compile', model, '--method', method, '--out', out, ...few]);
    expect(record).toMatchObject({
      model: { path: model },
      method,
      target: 'input',
      objective: { kind: 'class', score: 'logit' },
      notes: [],
      opset: 18,
      irVersion: 8,
      file: out,
      bytes: statSync(out).size,
    });
    expect(record.inputs.map(({ name }: { name: string }) => name)).toEqual(['picture', 'target']);
    expect(record.outputs.map(({ name }: { name: string }) => name)).toEqual([
      'scores',
      'map',
      'score',
      'chosen',
    ]);
    expect(record.check.silent).toBe(false);
    expect(record.check.map).toBeLessThan(1e-4);
    const said = metadataOf(await readModelFile(out));
    expect(said.get('unitscope.source_sha256')).toBe(record.model.sha256);
    expect(JSON.parse(said.get('unitscope.parameters')!)).toEqual(record.parameters);
    // Any ONNX Runtime runs it, on pictures of another number.
    const picture = new Random(4).normalTensor([2, 3, 8, 8]);
    const map = await mapOf(out, { picture, target: { dims: [2], data: BigInt64Array.of(3n, -1n) } });
    if (few.length > 0) return;
    const network = await Model.load(model);
    const expected = await explain(network, methodNamed(method), picture, { target: [3, 'top1'] });
    await network.close();
    expect(map).toEqual(Array.from(expected.map.data, (value) => expect.closeTo(value, 4)));
  });

  it('says so in words', async () => {
    const out = folder.at('words.onnx');
    const args = [
      'compile',
      model,
      '--method',
      'integrated-gradients',
      '--steps',
      '4',
      '--baseline',
      'black',
    ];
    const { code, out: text, err } = await unitscope([...args, '--preprocess', 'raw255', '--out', out]);
    expect([code, err]).toEqual([0, '']);
    const size = `${(statSync(out).size / 1e6).toFixed(2)} MB`;
    expect(text.split('\n')[0]).toBe(
      `integrated-gradients, steps 4, baseline 0,0,0: ${size}, operator set 18, IR version 8`,
    );
    expect(text).toMatch(
      /check: on a picture of noise the map is that of explain but for \d\.\de-\d of its norm/,
    );
    expect(text).toMatch(
      /input {2,}target {2,}int64 {2,}\[N\] {2,}the class; -1: the highest of each picture/,
    );
    expect(text).toMatch(/output {2,}map {2,}float32 {2,}\[N, 3, 8, 8\]/);
    expect(text.trimEnd().split('\n').at(-1)).toBe(`wrote ${out}, made of ${model}`);
    const quiet = await unitscope([...args, '--out', out, '--force', '--quiet']);
    expect(quiet.out).not.toMatch(/wrote|input/);
  });

  it('fixes a class by name, and a channel of a layer', async () => {
    const classes = folder.write('names.txt', 'cat\ndog\nowl\ncrane\nwren\n');
    const owl = folder.at('owl.onnx');
    const named = ['--target', 'Owl', '--classes', classes, '--out', owl];
    const record = await recordOf([
      'compile',
      model,
      '--method',
      'grad-cam',
      '--cam-layer',
      'conv2',
      ...named,
    ]);
    expect([record.target, record.parameters]).toEqual([2, { layer: 'conv2' }]);
    expect(record.inputs).toHaveLength(1);
    const unit = ['--layer', 'conv2', '--position', 'mean', '--target', '4'];
    const mean = await recordOf([
      ...['compile', model, '--method', 'deconvnet', ...unit],
      ...['--out', folder.at('unit.onnx')],
    ]);
    expect(mean.objective).toEqual({ kind: 'unit', layer: 'conv2', position: 'mean' });
    expect([mean.target, mean.check.silent]).toEqual([4, false]);
    const picture = new Random(4).normalTensor([1, 3, 8, 8]);
    expect((await mapOf(owl, { picture })).length).toBe(64);
  });

  it('takes a size for a network of any, and need not check', async () => {
    const out = folder.at('sized.onnx');
    const args = ['compile', openSize, '--method', 'gradient', '--size', '10,12', '--no-check', '--out', out];
    const record = await recordOf(args);
    expect(record.inputs[0].dims).toEqual(['N', 3, 10, 12]);
    expect(record).not.toHaveProperty('check');
  });

  it('warns where guided backpropagation finds no ReLU', async () => {
    const args = ['compile', smooth, '--method', 'guided-backprop', '--out', folder.at('sigmoid.onnx')];
    const text = (await unitscope(args)).out;
    // The second activation of the network is a ReLU: then only the first keeps its derivative.
    expect(text).toMatch(/note: guided-backprop is defined for ReLU; Sigmoid keeps the derivative/);
    const none = await folder.model('none.onnx', withoutRelu(tinyNetwork({ activation: 'Sigmoid' })));
    const record = await recordOf([
      ...['compile', none, '--method', 'guided-backprop'],
      ...['--out', folder.at('none-guided.onnx')],
    ]);
    expect(record.notes.at(-1)).toMatch(/the network has no ReLU.*so the map is the gradient/);
  });

  it('lists its methods and examples', async () => {
    const { code, out } = await unitscope(['compile', '--help']);
    expect(code).toBe(0);
    for (const method of METHODS) expect(out).toMatch(new RegExp(`\n  ${method} {2,}\\w`));
    expect(out).toContain('unitscope compile net.onnx --method guided-backprop --out guided.onnx');
    expect(out).not.toContain('--window');
  });

  it('replaces a file by --force only', async () => {
    const out = folder.write('there.onnx', 'a network nobody has a copy of');
    const args = ['compile', model, '--method', 'gradient', '--out', out];
    await expectRefusal(folder, args, 2, /there\.onnx is there already; .*--force/);
    expect(readFileSync(out, 'utf8')).toBe('a network nobody has a copy of');
    expect((await recordOf([...args, '--force'])).bytes).toBe(statSync(out).size);
  });
});

function withoutRelu(graph: Graph): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) => (node.operator === 'Relu' ? { ...node, operator: 'Sigmoid' } : node)),
  };
}

describe('what cannot be compiled', () => {
  const flat = folder.model('flat.onnx', flatNetwork());
  const steep = folder.model('steep.onnx', steepNetwork());
  const refuses = (args: readonly string[], code: number, line: RegExp) =>
    expectRefusal(folder, ['compile', ...args], code, line);
  const to = (name = 'never.onnx') => ['--out', folder.at(name)];

  it.each<[string, readonly string[], number, RegExp]>([
    ['no method', [], 2, /required option '--method <name>' not specified/],
    ['a method there is not', ['--method', 'grad-cm'], 2, /"grad-cm"; did you mean "grad-cam"/],
    [
      'a method of forward passes',
      ['--method', 'occlusion'],
      2,
      /no method that a file can hold "occlusion"/,
    ],
    ['several methods', ['--method', 'all'], 2, /no method that a file can hold "all"/],
    [
      'a flag of another method',
      ['--method', 'gradient', '--steps', '5'],
      2,
      /--steps is about integrated-grad/,
    ],
    ['no steps', ['--method', 'integrated-gradients', '--steps', '0'], 2, /must be a positive integer/],
    [
      'a seed too large',
      ['--method', 'smoothgrad', '--seed', '4294967296'],
      2,
      /seed must be a whole number from 0 to/,
    ],
    [
      'a position of no layer',
      ['--method', 'gradient', '--position', 'max'],
      2,
      /--position is about channels/,
    ],
    [
      'names without a target',
      ['--method', 'gradient', '--classes', 'x.txt'],
      2,
      /--classes is about the name/,
    ],
    [
      'a preset nobody needs',
      ['--method', 'gradient', '--preprocess', 'tf'],
      2,
      /--preprocess says what black is/,
    ],
    ['a class there is not', ['--method', 'gradient', '--target', '5'], 1, /no class 5; .* 0 to 4/],
    [
      'a class nobody named',
      ['--method', 'gradient', '--target', 'owl'],
      2,
      /"owl" is neither top1 nor a number/,
    ],
    [
      'a layer there is not',
      ['--method', 'gradient', '--layer', 'conv3'],
      1,
      /no layer "conv3"; did you mean/,
    ],
    [
      'a channel there is not',
      ['--method', 'gradient', '--layer', 'conv2', '--target', '5'],
      1,
      /no unit 5; .* 0 to 4/,
    ],
    [
      'a layer without maps',
      ['--method', 'grad-cam', '--cam-layer', 'fc'],
      2,
      /Grad-CAM needs a layer with maps/,
    ],
  ])('is refused: %s', async (_, args, code, line) => {
    await refuses([model, ...args, ...to()], code, line);
  });

  it('is refused: a network without a convolution, for Grad-CAM', async () => {
    await refuses([await flat, '--method', 'grad-cam', ...to()], 1, /has no convolution that gives a map/);
  });

  it('is refused: a network of any size without one', async () => {
    await refuses(
      [openSize, '--method', 'gradient', ...to()],
      2,
      /open\.onnx takes pictures of any size.*--size/,
    );
  });

  it('is refused: an operator without a rule', async () => {
    const sine = await folder.model('sine.onnx', tinyNetwork({ activation: 'Sin' }));
    await refuses([sine, '--method', 'gradient', ...to()], 1, /no backward rule for node act \(Sin\)/);
  });

  it('leaves no file where its map is not finite', async () => {
    await refuses(
      [await steep, '--method', 'gradient', ...to()],
      1,
      /the map of the file is not finite; check the weights of .*steep\.onnx/,
    );
  });

  const text = folder.write('text.onnx', 'a network, honestly\n');
  it.each<[string, string, RegExp]>([
    ['none', folder.at('absent.onnx'), /absent\.onnx.*there is no such file/],
    ['text', text, /text\.onnx .*text file/],
  ])('is refused: a network that is %s', async (_, path, line) => {
    await refuses([path, '--method', 'gradient', ...to()], 1, line);
  });

  it('is refused: a place that cannot be written', async () => {
    mkdirSync(folder.at('taken.onnx'));
    mkdirSync(folder.at('locked'));
    // The model is none: the place is looked at before it is read.
    const at = (path: string) => [text, '--method', 'gradient', '--out', path];
    await refuses(at(folder.at('taken.onnx')), 1, /cannot write .*taken\.onnx: it is a folder/);
    await refuses(at(`${text}/file.onnx`), 1, /cannot write .*file\.onnx: /);
    await refuses(at(text), 2, /text\.onnx is named twice/);
    await refuses(at(folder.at('map.png')), 2, /map\.png: name the file \.onnx/);
    if (process.getuid?.() === 0) return; // Root may write anywhere.
    chmodSync(folder.at('locked'), 0o500);
    await refuses(at(folder.at('locked/file.onnx')), 1, /cannot write .*locked/);
  });

  it('leaves no file where it is aborted', async () => {
    const before = folder.contents();
    const args = ['compile', model, '--method', 'smoothgrad', ...to()];
    expect((await unitscope(args, AbortSignal.abort())).code).toBe(130);
    expect(folder.contents()).toEqual(before);
  });
});
