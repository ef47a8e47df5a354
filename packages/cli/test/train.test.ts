import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Model } from '@unitscope/model';
import { Random } from '@unitscope/tensor';
import { encodePng } from '@unitscope/visualization';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const SIDE = 16;

/** A folder for each of three colours, of noisy pictures in it. */
function colours(name: string, count: number, seed = 1): string {
  for (const [category, colour] of ['red', 'green', 'blue'].entries()) {
    mkdirSync(folder.at(`${name}/${colour}`), { recursive: true });
    for (let i = 0; i < count; i++) {
      const random = new Random(seed + 100 * i + category);
      const data = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, byte) =>
        Math.floor((byte % 3 === category ? 120 : 60) + 100 * random.uniform()),
      );
      folder.write(`${name}/${colour}/${i}.png`, encodePng({ width: SIDE, height: SIDE, channels: 3, data }));
    }
  }
  return folder.at(name);
}

let data = '';
beforeAll(() => {
  data = colours('colours', 10);
});

const train = (out: string, ...options: string[]) => [
  ...['train', '--architecture', 'tiny', '--size', `${SIDE}`, '--data', data, '--out', folder.at(out)],
  ...['--epochs', '4', '--batch-size', '9', '--learning-rate', '0.02', '--validation', '0.2', ...options],
];

describe('unitscope train', () => {
  it('trains a network, and writes it with log, plots and a record', async () => {
    const { code, out, err } = await unitscope(train('net.onnx', '--shift', '1', '--mirror'));
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^training on 24 pictures of 3 categories, judging by 6\n/);
    expect(out).toMatch(/epoch 4\/4: loss \d\.\d{4}, \d+\.\d % right; validation loss \d\.\d{4}/);
    expect(out).toMatch(/wrote .*net\.onnx: epoch 4, \d+\.\d % of the validation right\n/);
    const log = readFileSync(folder.at('net-training/metrics.jsonl'), 'utf8').trim().split('\n');
    const losses = log.map((line) => JSON.parse(line).training.loss);
    expect(losses).toHaveLength(4);
    expect(losses[3]).toBeLessThan(losses[0]);
    for (const plot of ['loss', 'accuracy']) {
      expect(readFileSync(folder.at(`net-training/${plot}.svg`), 'utf8')).toContain('validation');
    }
    const record = JSON.parse(readFileSync(folder.at('net-training/training.json'), 'utf8'));
    const model = await Model.load(folder.at('net.onnx'));
    expect(record).toMatchObject({
      network: { architecture: 'tiny' },
      trained: { sha256: model.sha256 },
      categories: ['blue', 'green', 'red'],
      options: { batchSize: 9, augmentation: { mirror: true, shift: 1 }, seed: 0 },
      trainer: { optimizer: { kind: 'sgd', momentum: 0.9 }, schedule: { kind: 'cosine', rate: 0.02 } },
    });
    expect(record.trainer.engine.versions).not.toEqual({});
    await model.close();
  });

  it('goes on after it was killed as if it had not been', async () => {
    await recordOf(train('straight.onnx'));
    const args = train('killed.onnx', '--checkpoint-steps', '1');
    const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));
    const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise<void>((resolve, reject) => {
      // After the second epoch, wherever it is by then.
      child.stdout.on('data', (text: Buffer) => {
        if (text.toString().includes('epoch 2/4')) child.kill('SIGKILL');
      });
      child.on('exit', (_, signal) =>
        signal === 'SIGKILL' ? resolve() : reject(new Error('it was not killed')),
      );
    });
    const record = await recordOf([...args, '--resume']);
    expect(record.epochs).toHaveLength(4);
    expect(readFileSync(folder.at('killed.onnx')).equals(readFileSync(folder.at('straight.onnx')))).toBe(
      true,
    );
    const log = (name: string) => readFileSync(folder.at(`${name}-training/metrics.jsonl`), 'utf8');
    expect(log('killed')).toBe(log('straight'));
  }, 60_000);

  it('trains a given network further, a part of it, and stops early', async () => {
    await recordOf(train('given.onnx'));
    const options = [
      '--model',
      folder.at('given.onnx'),
      '--data',
      data,
      '--validation-data',
      colours('judged', 3, 7),
    ];
    const record = await recordOf([
      ...['train', ...options, '--out', folder.at('tuned.onnx'), '--epochs', '6', '--optimizer', 'adam'],
      ...[
        '--parameters',
        'fc.*',
        '--freeze-batch-norm',
        '--early-stop',
        '1',
        '--loss',
        'logistic',
        '--balance',
      ],
    ]);
    expect(record.trainer.parameters.map((parameter: { name: string }) => parameter.name)).toEqual([
      'fc.weight',
      'fc.bias',
    ]);
    expect(record.data.validation.samples).toBe(9);
    expect(record.network.path).toBe(folder.at('given.onnx'));
    expect(record.epoch).toBeLessThanOrEqual(record.epochs.length);
  });

  it('is interrupted without a network', async () => {
    const outcome = await unitscope(train('interrupted.onnx'), AbortSignal.abort());
    expect([outcome.code, outcome.err]).toEqual([130, 'unitscope: interrupted\n']);
    expect(folder.contents()).not.toContain('interrupted.onnx');
  });

  it('refuses a folder with a checkpoint unless it is resumed, and the checkpoint of another run', async () => {
    await recordOf(train('again.onnx'));
    expect(await unitscope(train('again.onnx'))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/resume it/),
    });
    const { code, err } = await unitscope(train('again.onnx', '--resume', '--seed', '3'));
    expect(code).toBe(2);
    expect(err).toMatch(/checkpoint\.npz is of another run \(.*seed was 0, not 3/);
  });

  it.each<[string, number, RegExp, string[]]>([
    ['no network', 2, /either an --architecture or a --model/, ['--data', 'colours', '--out', 'x.onnx']],
    ['an unknown architecture', 2, /no architecture "tny"; did you mean "tiny"/, ['--architecture', 'tny']],
    ['no .onnx', 2, /must end in \.onnx/, ['--architecture', 'tiny', '--out', 'net']],
    ['steps without epochs', 2, /needs --steps-at/, ['--architecture', 'tiny', '--schedule', 'steps']],
    ['a learning rate that is none', 2, /must be a number of 0 or more/, ['--learning-rate', '-1']],
    [
      'a category that is not there',
      1,
      /no category "pink"/,
      ['--architecture', 'tiny', '--categories', 'red,pink'],
    ],
    ['a missing folder', 1, /absent.*no such file/, ['--architecture', 'tiny', '--data', 'absent']],
    [
      'a momentum of 1',
      2,
      /momentum must be from 0 to below 1/,
      ['--architecture', 'tiny', '--momentum', '1'],
    ],
    [
      'a learning rate that diverges',
      1,
      /diverged: the loss is (NaN|infinite) at step \d+, learning rate .*lower/,
      ['--architecture', 'tiny', '--learning-rate', '1e30', '--size', '16', '--freeze-batch-norm'],
    ],
  ])('refuses %s', async (_, code, line, options) => {
    const given = options.includes('--out') ? [] : ['--out', folder.at('refused.onnx')];
    const of = options.includes('--data') ? [] : ['--data', data];
    const args = ['train', ...options, ...given, ...of, '--state', folder.at('refused')];
    const outcome = await unitscope([...args, '--quiet']);
    expect([outcome.code, outcome.out]).toEqual([code, '']);
    expect(outcome.err).toMatch(line);
    expect(outcome.err.trim().split('\n')).toHaveLength(1);
    expect(folder.contents()).not.toContain('refused.onnx');
  });

  it('names a category without pictures, and a broken picture', async () => {
    cpSync(data, folder.at('poor'), { recursive: true });
    mkdirSync(folder.at('poor/white'));
    const poor = [
      'train',
      '--architecture',
      'tiny',
      '--data',
      folder.at('poor'),
      '--out',
      folder.at('poor.onnx'),
    ];
    await expectRefusal(folder, [...poor, '--quiet'], 1, /no samples of the category white; add some/);
    folder.write('poor/white/1.png', 'no picture');
    folder.write('poor/white/2.png', 'no picture');
    await expectRefusal(folder, [...poor, '--quiet'], 1, /poor.white.[12]\.png/);
  });
});
