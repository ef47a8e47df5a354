import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { masksOf } from '@unitscope/disentangling';
import { readModel } from '@unitscope/onnx';
import { Random, readNpy } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { flatNetwork, tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const flat = await folder.model('flat.onnx', flatNetwork());
const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('unitscope make-interpretable', () => {
  it('writes a network with masks that the other commands run', async () => {
    const out = folder.at('masked.onnx');
    const done = await unitscope(['make-interpretable', model, '--layer', 'conv,relu2', '--out', out]);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/conv +act:out +\S+ +4 +8x8 +paper/);
    expect(done.out).toMatch(/relu2 +relu2:out +\S+ +5 +2x2 +paper/);
    expect(done.out).toMatch(
      /wrote .*masked\.onnx: 2 masks; the filters stand for parts once it is trained\n$/,
    );
    const masks = masksOf(readModel(readFileSync(out)));
    expect(masks.map(({ maps }) => maps)).toEqual(['act:out', 'relu2:out']);
    const listed = await recordOf(['layers', out]);
    expect(listed.layers.map(({ value }: { value: string }) => value)).toContain(masks[0]!.masked);
    const picture = folder.array('one.npy', new Random(3).normalTensor([1, 3, 8, 8]));
    const raw = folder.at('map.npy');
    const explained = await unitscope(['explain', out, picture, '--method', 'gradient', '--raw', raw]);
    expect(explained).toMatchObject({ code: 0 });
    const { data } = readNpy(readFileSync(raw), raw);
    expect(Array.from(data, Number).some((value) => value !== 0)).toBe(true);
  });

  it('records what it did, the same file from the same seed', async () => {
    const args = (out: string, seed: string) => [
      ...['make-interpretable', model, '--layer', 'conv', '--reading', 'released'],
      ...['--added-convolution', 'he', '--seed', seed, '--out', folder.at(out)],
    ];
    const record = await recordOf(args('a.onnx', '7'));
    expect(record).toMatchObject({
      method: 'make-interpretable',
      model: { path: model, sha256: hashOf(model) },
      parameters: { layers: ['conv'], reading: 'released', slope: 2, addedConvolution: 'he', seed: 7 },
      masks: [
        { layer: 'conv', added: false },
        { layer: 'conv', added: true },
      ],
      out: { path: folder.at('a.onnx'), sha256: hashOf(folder.at('a.onnx')) },
    });
    const again = await recordOf(args('b.onnx', '7'));
    expect(again.out.sha256).toBe(record.out.sha256);
    expect((await recordOf(args('c.onnx', '8'))).out.sha256).not.toBe(record.out.sha256);
  });

  it('takes the size a network leaves open, and is quiet when told to', async () => {
    const open = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
    const out = folder.at('sized.onnx');
    const args = ['make-interpretable', open, '--layer', 'conv', '--out', out, '--quiet'];
    await expectRefusal(folder, args, 1, /maps of conv have dims .*--size on the command line/);
    const done = await unitscope([...args, '--size', '8,12']);
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toMatch(/8x12/);
    expect(done.out).not.toMatch(/wrote/);
    expect(readModel(readFileSync(out)).inputs[0]!.dims).toEqual(['N', 3, 8, 12]);
  });

  it('says what can be done, with examples', async () => {
    const { code, out } = await unitscope(['make-interpretable', '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(/--reading <name>[\s\S]*choices: "paper", "released"/);
    expect(out).toMatch(/Examples:\n {2}unitscope make-interpretable net\.onnx --layer conv5/);
  });
});

describe('unitscope make-interpretable refuses', () => {
  const out = ['--out', folder.at('never.onnx')];
  const cases: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['no layer', [model, ...out], 2, /required option '--layer <names>'/],
    ['no file to write', [model, '--layer', 'conv'], 2, /required option '--out <file>'/],
    ['an empty name', [model, '--layer', 'conv,', ...out], 2, /names separated by commas/],
    ['an unknown layer', [model, '--layer', 'conv9', ...out], 1, /no layer "conv9"; did you mean "conv/],
    [
      'an unknown reading',
      [model, '--layer', 'conv', '--reading', 'mine', ...out],
      2,
      /Allowed choices are paper, released/,
    ],
    [
      'an unknown init',
      [model, '--layer', 'conv', '--added-convolution', 'zero', ...out],
      2,
      /Allowed choices are normal, he/,
    ],
    ['a slope of nothing', [model, '--layer', 'conv', '--slope', '0', ...out], 2, /must be a number above 0/],
    ['a seed that is none', [model, '--layer', 'conv', '--seed', '-1', ...out], 2, /integer from 0 to/],
    ['a layer without maps', [model, '--layer', 'flat', ...out], 1, /flat has no maps/],
    ['scores that no activation follows', [model, '--layer', 'fc', ...out], 1, /has no maps|may be negative/],
    ['a layer named twice', [model, '--layer', 'conv,act', ...out], 2, /masked already/],
    [
      'a size that the file contradicts',
      [model, '--layer', 'conv', '--size', '9,9', ...out],
      2,
      /cannot have dims \[N, 3, 9, 9\]/,
    ],
    ['its own input as output', [model, '--layer', 'conv', '--out', model], 2, /is named twice/],
    ['a missing file', [folder.at('absent.onnx'), '--layer', 'conv', ...out], 1, /there is no such file/],
  ];

  it.each(cases)('%s', async (_, args, code, line) => {
    await expectRefusal(folder, ['make-interpretable', ...args], code, line);
  });

  it('a network without maps', async () => {
    await expectRefusal(
      folder,
      ['make-interpretable', flat, '--layer', 'scores', ...out],
      1,
      /may be negative/,
    );
  });
});
