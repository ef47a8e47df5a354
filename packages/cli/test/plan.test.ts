import { Random } from '@unitscope/tensor';
import { describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const array = folder.array('six.npy', new Random(3).normalTensor([6, 3, 8, 8]));
const portable = ['--engine', 'onnxruntime-node'];
const layers = ['conv', 'act', 'pool', 'conv2', 'relu2', 'mean', 'fc'];

interface Node {
  readonly node: string;
  readonly operator: string;
  readonly rule?: string;
  readonly milliseconds?: number;
}

describe('explain --plan', () => {
  it('prints a line for every node, without a picture', async () => {
    const args = ['explain', model, '--plan', '--method', 'guided-backprop,gradient', ...portable];
    const { code, out, err } = await unitscope(args);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^plan of guided-backprop: engine onnxruntime-node, lowering portable$/m);
    expect(out).toMatch(/^plan of gradient: /m);
    for (const node of layers)
      expect(out).toMatch(new RegExp(`^ {2}${node} +\\w+ +\\S+ +portable +nchw$`, 'm'));
    expect(out).toMatch(/^ {2}act +Relu +relu\.guided\S* +portable +nchw$/m);
    expect(out).toMatch(/^ {2}grad\/act\/ReluGrad\/Mul +Mul +relu\.guided\S* +portable +nchw$/m);
    expect(out).toMatch(/^ {2}no times: the engine onnxruntime-node keeps none/m);
  });

  it('gives the nodes as a record', async () => {
    const record = await recordOf(['explain', model, '--plan', '--method', 'gradient', ...portable]);
    expect(Object.keys(record)).toEqual(['unitscope', 'model', 'engine', 'plans']);
    const [{ method, nodes, samples }] = record.plans;
    expect([method, samples]).toEqual(['gradient', undefined]);
    const names = nodes.map(({ node }: Node) => node);
    for (const node of layers) expect(names).toContain(node);
    expect(nodes.every(({ milliseconds }: Node) => milliseconds === undefined)).toBe(true);
  });

  it.skipIf(process.platform !== 'linux')('has times of the part of the batch that ran', async () => {
    const args = ['explain', model, array, '--engine', 'native', '--lowering', 'native', '--plan'];
    const { explanations } = await recordOf([...args, '--method', 'gradient']);
    const { samples, nodes } = explanations[0].plan;
    expect(samples).toBe(4);
    const own = nodes.find(({ node }: Node) => node === 'grad/pool/MaxPoolGrad');
    expect(own).toMatchObject({ operator: 'unitscope::MaxPoolGrad', lowering: 'native', layout: 'nchw' });
    expect(own.milliseconds).toBeGreaterThan(0);
    const { out } = await unitscope([...args, '--method', 'gradient']);
    expect(out).toMatch(
      /^ {2}grad\/pool\/MaxPoolGrad +unitscope::MaxPoolGrad .* \d+\.\d{3} +grad\/act\/ReluGrad$/m,
    );
    expect(out).toMatch(/^ {2}\d+\.\d ms in all, for 4 of the batch$/m);
  });

  it('refuses what it cannot print or write', async () => {
    await expectRefusal(
      folder,
      ['explain', model],
      2,
      /missing required argument 'input'; only --plan does without/,
    );
    const png = ['--plan', '--png', folder.at('x.png')];
    await expectRefusal(folder, ['explain', model, ...png], 2, /without a picture there is nothing to write/);
    const open = await folder.model('open.onnx', tinyNetwork({ dims: ['N', 3, 'h', 'w'] }));
    await expectRefusal(folder, ['explain', open, '--plan'], 2, /pictures of any size.*--size H,W/);
    const { code } = await unitscope(['explain', open, '--plan', '--size', '8,8']);
    expect(code).toBe(0);
  });
});
