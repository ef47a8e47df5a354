import { mkdirSync, readFileSync } from 'node:fs';
import { type Graph, writeModel } from '@unitscope/onnx';
import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import {
  cyclicNetwork,
  danglingNetwork,
  flatNetwork,
  steepNetwork,
  tinyNetwork,
} from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const picture = folder.picture('noise.png').path;
const array = folder.array('two.npy', new Random(5).normalTensor([2, 3, 8, 8]));
const bytes = readFileSync(model);
const outputs = ['--png', folder.at('out/map.png'), '--raw', folder.at('out/map.npy')];

const refuses = (args: readonly string[], code: number, line: RegExp) =>
  expectRefusal(folder, [...args, ...outputs], code, line);

function withInput(graph: Graph, dims: readonly (number | string)[]): Graph {
  return { ...graph, inputs: [{ ...graph.inputs[0]!, dims }] };
}

describe('a model that is none', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['missing', folder.at('absent.onnx'), /absent\.onnx.*there is no such file/],
    ['a folder', folder.path, /it is a folder/],
    ['empty', folder.write('empty.onnx', ''), /empty\.onnx.*empty/],
    ['text', folder.write('text.onnx', 'a network, honestly\n'), /text\.onnx .*text file/],
    ['a picture', picture, /noise\.png .*PNG picture/],
    ['cut in half', folder.write('half.onnx', bytes.subarray(0, bytes.length / 2)), /half\.onnx .*truncated/],
    ['without its last byte', folder.write('almost.onnx', bytes.subarray(0, -1)), /almost\.onnx .*truncated/],
    ['cyclic', folder.write('cycle.onnx', writeModel(cyclicNetwork())), /cycle\.onnx.*cycle/],
    [
      'with a value nobody makes',
      folder.write('dangling.onnx', writeModel(danglingNetwork())),
      /"relu2 \(Relu\)" reads "nowhere", which nobody makes/,
    ],
    [
      'of huge dims',
      folder.write('huge.onnx', writeModel(withInput(tinyNetwork(), [2 ** 40, 3, 2 ** 40, 2 ** 40]))),
      /huge\.onnx.*"picture" has impossible dims/,
    ],
    [
      'of weights larger than the file',
      folder.write('weights.onnx', writeModel(withHugeWeight(tinyNetwork()))),
      /initializer "w1" has the impossible dims/,
    ],
  ];
  it.each(cases)('is refused: %s', async (_, path, line) => {
    await refuses(['explain', path, picture], 1, line);
    const listed = await unitscope(['layers', path]);
    expect([listed.code, listed.out]).toEqual([1, '']);
    expect(listed.err).toMatch(line);
    expect(listed.err).toMatch(/^unitscope: [^\n]+\n$/);
  });
});

/** The first weight says it has 2^40 rows. */
function withHugeWeight(graph: Graph): Graph {
  const weight = graph.initializers.get('w1')!;
  return {
    ...graph,
    initializers: new Map(graph.initializers).set('w1', {
      ...weight,
      dims: [2 ** 40, ...weight.dims.slice(1)],
    }),
  };
}

function withWeight(graph: Graph, value: number): Graph {
  const weight = graph.initializers.get('w1')!;
  const data = new Float32Array(4 * 3 * 3 * 3).fill(value);
  return { ...graph, initializers: new Map(graph.initializers).set('w1', { ...weight, data }) };
}

describe('a picture that is none', () => {
  const png = readFileSync(picture);
  const cases: readonly (readonly [string, string, number, RegExp])[] = [
    ['missing', folder.at('absent.jpg'), 1, /cannot read picture .*absent\.jpg: there is no such file/],
    ['a folder', folder.path, 2, /is a folder; name the pictures in it/],
    ['empty', folder.write('empty.jpg', ''), 1, /empty\.jpg is empty/],
    ['text', folder.write('text.jpg', 'a bird'), 1, /text\.jpg is not a picture/],
    ['a network', model, 1, /tiny\.onnx is not a picture/],
    [
      'truncated',
      folder.write('half.png', png.subarray(0, png.length / 2)),
      1,
      /half\.png is .*(damaged|not a)/,
    ],
  ];
  it.each(cases)('is refused: %s', async (_, path, code, line) => {
    await refuses(['explain', model, path], code, line);
  });

  it('is refused among others', async () => {
    await refuses(['explain', model, picture, picture, folder.at('absent.jpg')], 1, /absent\.jpg/);
  });
});

describe('an array that does not fit', () => {
  const nan = new Random(1).normalTensor([1, 3, 8, 8]);
  nan.data[100] = Number.NaN;
  const shaped = (name: string, dims: readonly number[]) =>
    folder.array(name, new Random(1).normalTensor(dims));
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'of another size',
      shaped('size.npy', [1, 3, 8, 9]),
      /size\.npy has dims \[1, 3, 8, 9\]; the network takes \[N, 3, 8, 8\]/,
    ],
    [
      'of another rank',
      shaped('rank.npy', [3, 8, 8]),
      /rank\.npy has dims \[3, 8, 8\]; the network takes \[N, 3, 8, 8\]/,
    ],
    ['without a batch axis', shaped('flat.npy', [192]), /flat\.npy: dims \[192\] have no batch axis/],
    ['without samples', shaped('none.npy', [0, 3, 8, 8]), /none\.npy: dims \[0, 3, 8, 8\] hold no elements/],
    ['with NaN', folder.array('nan.npy', nan), /nan\.npy: element 100 is NaN/],
    ['that is none', folder.write('text.npy', 'numbers'), /text\.npy is not a usable \.npy file/],
    ['that is missing', folder.at('absent.npy'), /absent\.npy: there is no such file/],
  ];
  it.each(cases)('is refused: %s', async (_, path, line) => {
    await refuses(['explain', model, path], 1, line);
  });

  it('is refused beside one of another size, in a network of any', async () => {
    const open = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
    const other = shaped('other.npy', [1, 3, 12, 8]);
    await refuses(
      ['explain', open, array, other],
      1,
      /other\.npy has dims \[1, 3, 12, 8\]; .*two\.npy has \[2, 3, 8, 8\]/,
    );
  });
});

describe('a network that cannot be explained', () => {
  it('by an operator without a rule is refused, naming node and operator', async () => {
    const sine = await folder.model('sine.onnx', tinyNetwork({ activation: 'Sin' }));
    await refuses(['explain', sine, picture], 1, /no backward rule for node act \(Sin\)/);
  });

  it('by weights that are NaN is refused, naming the sample', async () => {
    const broken = await folder.model('nan.onnx', withWeight(tinyNetwork(), Number.NaN));
    await refuses(
      ['explain', broken, array],
      1,
      /the score of two\.npy\[0\] is NaN; check the weights of .*nan\.onnx/,
    );
  });

  it('by a backward pass that overflows is refused, naming the method', async () => {
    // Its score at zero is zero, its derivative is beyond float32.
    const steep = await folder.model('steep.onnx', steepNetwork());
    const zeros = folder.array('zeros.npy', { dims: [2, 3, 4, 4], data: new Float32Array(96) });
    const args = ['explain', steep, zeros, '--method', 'gradient'];
    await refuses(args, 1, /the map by gradient of zeros\.npy\[0\] is -?Infinity/);
  });

  it('for pictures is refused where it takes none', async () => {
    const grey = await folder.model('grey.onnx', tinyNetwork({ dims: ['N', 1, 8, 8] }));
    await refuses(
      ['explain', grey, picture],
      1,
      /noise\.png: the network takes \[N, 1, 8, 8\], not pictures/,
    );
    const flat = await folder.model('flat.onnx', flatNetwork());
    await expectRefusal(
      folder,
      ['explain', flat, picture],
      1,
      /noise\.png: the network takes \[N, 10\], not pictures/,
    );
    await refuses(['explain', flat, array], 2, /takes \[N, 10\], of which no picture can be drawn; .*--raw/);
  });

  it('of open size is refused without --size', async () => {
    const open = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
    await refuses(
      ['explain', open, picture],
      2,
      /takes pictures of any size, \[N, 3, h, w\]; choose one by --size H,W/,
    );
  });
});

describe('a name that is not there', () => {
  const names = folder.write('names.txt', 'cat\ndog\nowl\ncrane\ncrane\n');
  const cases: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['layer', ['--layer', 'conv3', '--unit', '0'], 1, /no layer "conv3"; did you mean "conv2?"\?/],
    ['unit', ['--layer', 'conv2', '--unit', '5'], 1, /no unit 5; .* 0 to 4/],
    ['position', ['--layer', 'conv2', '--unit', '4,2,0'], 1, /no position \[2, 0\] .*\[2, 2\]/],
    ['class by number', ['--target', '5'], 1, /no class 5; .* 0 to 4/],
    ['class by name', ['--target', 'dgo', '--classes', names], 1, /no class "dgo"/],
    [
      'class, nearly',
      ['--target', 'crabe', '--classes', names],
      1,
      /no class "crabe"; did you mean "crane"\?/,
    ],
    ['class of two', ['--target', 'crane', '--classes', names], 2, /the classes 3, 4 are all called "crane"/],
    ['class without names', ['--target', 'owl'], 2, /"owl" is neither top1 nor a number; .*--classes/],
    ['names', ['--classes', folder.at('absent.txt')], 1, /cannot read class names .*absent\.txt/],
    [
      'names of JSON',
      ['--classes', folder.write('bad.json', '{"0": 7}')],
      1,
      /bad\.json does not hold class names/,
    ],
    [
      'names of another network',
      ['--classes', folder.write('two.txt', 'a\nb\n')],
      1,
      /names 2 classes, the network has 5/,
    ],
    ['method', ['--method', 'gradeint'], 2, /no method "gradeint"; did you mean "gradient"\?/],
    ['method among others', ['--method', 'gradient,'], 2, /no method ""; there are: gradient, /],
    [
      'preset',
      ['--preprocess', 'imagnet'],
      2,
      /no preprocessing preset "imagnet"; did you mean "imagenet"\?/,
    ],
    [
      'preset file',
      ['--preprocess', folder.at('absent.json')],
      1,
      /cannot read preprocessing .*absent\.json/,
    ],
    [
      'preset field',
      ['--preprocess', folder.write('field.json', '{"means": 1}')],
      1,
      /no field "means"; did you mean "mean"\?/,
    ],
  ];
  it.each(cases)('is refused: %s', async (_, options, code, line) => {
    await expectRefusal(
      folder,
      ['explain', model, picture, ...options, '--png', folder.at('x.png')],
      code,
      line,
    );
  });
});

describe('a place that cannot be written', () => {
  mkdirSync(folder.at('taken.png'));
  const blocked = folder.write('file', 'not a folder');
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['below a file', ['--png', `${blocked}/map.png`], /cannot write .*map\.png: .*file/],
    [
      'far below a file',
      ['--raw', `${blocked}/a/b/map.npy`],
      /cannot write .*map\.npy: a part of the path is a file/,
    ],
    ['a folder', ['--png', folder.at('taken.png')], /cannot write .*taken\.png: it is a folder/],
  ];
  // The model is none: the place is looked at before it is read.
  it.each(cases)('is refused before any work: %s', async (_, options, line) => {
    await expectRefusal(folder, ['explain', blocked, picture, ...options], 1, line);
  });
});

describe('a refusal with --json', () => {
  it('is one line on the error stream too', async () => {
    await refuses(['explain', model, folder.at('absent.jpg'), '--json'], 1, /absent\.jpg/);
    await refuses(['explain', model, picture, '--json', '--target', '9'], 1, /no class 9/);
  });
});
