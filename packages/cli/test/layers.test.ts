import { describe, expect, it } from 'vitest';
import { unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());

const TABLE = [
  'layer    operator           shape         field  stride  first unit',
  'conv     Conv               [N, 4, 8, 8]  3x3    1x1     0,0',
  'act      Relu               [N, 4, 8, 8]  3x3    1x1     0,0',
  'pool     MaxPool            [N, 4, 4, 4]  4x4    2x2     0.5,0.5',
  'conv2    Conv               [N, 5, 2, 2]  8x8    2x2     2.5,2.5',
  'relu2    Relu               [N, 5, 2, 2]  8x8    2x2     2.5,2.5',
];

describe('layers', () => {
  it('prints a line for every layer', async () => {
    const { code, out, err } = await unitscope(['layers', model]);
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toBe(`${model}: input picture [N, 3, 8, 8]; output softmax:out [N, 5]`);
    expect(lines.slice(2, 8)).toEqual(TABLE);
    expect(out).toContain('field: pixels one unit sees');
  });

  it('prints the table alone with --quiet', async () => {
    const { code, out } = await unitscope(['layers', model, '--quiet']);
    const lines = out.split('\n');
    expect(code).toBe(0);
    expect(lines.slice(0, 6)).toEqual(TABLE);
    // Header, nine layers, and the end of the last line.
    expect(lines).toHaveLength(11);
  });

  it('prints a record with --json', async () => {
    const { code, out, err } = await unitscope(['layers', model, '--json']);
    expect([code, err]).toEqual([0, '']);
    const record = JSON.parse(out);
    expect(Object.keys(record)).toEqual(['unitscope', 'model', 'input', 'outputs', 'layers']);
    expect(record.model).toEqual({ path: model, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(record.input).toMatchObject({ name: 'picture', type: 'float32', dims: ['N', 3, 8, 8] });
    expect(record.layers.map((layer: { name: string }) => layer.name)).toEqual([
      'conv',
      'act',
      'pool',
      'conv2',
      'relu2',
      'mean',
      'flat',
      'fc',
      'softmax',
    ]);
    expect(record.layers[3]).toEqual({
      name: 'conv2',
      operator: 'Conv',
      value: 'conv2:out',
      dims: ['N', 5, 2, 2],
      receptiveField: { size: [8, 8], stride: [2, 2], offset: [-1, -1], centre: [2.5, 2.5] },
      depth: 4,
    });
  });

  it.each([
    ['open size', ['N', 3, 'h', 'w'], '[N, 5, 6, 8]'],
    ['open size and a fixed batch', [1, 3, 'h', 'w'], '[1, 5, 6, 8]'],
    ['open size of one channel', ['N', 1, 'h', 'w'], '[N, 5, 6, 8]'],
  ] as const)('fills in --size for a network of %s', async (_, dims, shape) => {
    const open = await folder.model('open.onnx', tinyNetwork({ dims }));
    const { code, out, err } = await unitscope(['layers', open, '--size', '16,20', '--quiet']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^conv2 .*${shape.replace(/[[\]]/g, '\\$&')}`, 'm'));
  });

  it('refuses a --size the file contradicts', async () => {
    const { code, out, err } = await unitscope(['layers', model, '--size', '16']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toBe(
      'unitscope: input "picture" cannot have dims [N, 3, 16, 16]; the file says [N, 3, 8, 8]\n',
    );
  });
});
