import { Random } from '@unitscope/tensor';
import { describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../src/index.js';
import { unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const picture = folder.picture('noise.png').path;
const png = folder.at('x.png');

describe('wrong use', () => {
  const explain = ['explain', model, picture];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['explian', model], /unknown command 'explian' \(Did you mean explain\?\)/],
    [['layer', model], /unknown command 'layer' \(Did you mean layers\?\)/],
    [['explain'], /missing required argument 'model'/],
    [['explain', model], /missing required argument 'input'/],
    [['layers', model, picture], /too many arguments for 'layers'/],
    [[...explain, '--metod', 'gradient'], /unknown option '--metod' \(Did you mean --method\?\)/],
    [[...explain, '--method'], /option '--method <names>' argument missing/],
    [[...explain, '--score', 'logits'], /'--score <kind>' argument 'logits' is invalid.* logit, probability/],
    [[...explain, '--style', 'big', '--png', png], /'big' is invalid.* montage, map, overlay/],
    [[...explain, '--engine', 'warp'], /'warp' is invalid.* auto/],
    [[...explain, '--threads', '0'], /'0' is invalid. It must be a positive integer/],
    [[...explain, '--threads', '100000'], /'100000' is invalid. It must be at most 1024/],
    [[...explain, '--batch-size', '1.5'], /'1\.5' is invalid. It must be a positive integer/],
    [[...explain, '--size', '8by8'], /'8by8' is invalid. It must be H,W, such as 224,224/],
    [[...explain, '--size', '0'], /'0' is invalid. It must be H,W/],
    [[...explain, '--layer', 'conv', '--unit', '1,2'], /'1,2' is invalid. It must be C, C,Y,X or C,mean/],
    [[...explain, '--layer', 'conv'], /--layer and --unit together/],
    [[...explain, '--unit', '1'], /--layer and --unit together/],
    [[...explain, '--layer', 'conv', '--unit', '1', '--target', '1'], /--target.*not both/],
    [[...explain, '--layer', 'conv', '--unit', '1', '--score', 'logit'], /--score is about classes/],
    [[...explain, '--score', 'probability'], /guided-backprop.*Softmax.*before the softmax/],
    [[...explain, '--png', folder.at('x.jpg')], /x\.jpg: name the file \.png/],
    [[...explain, '--raw', folder.at('x.txt')], /x\.txt: name the file \.npy or \.npz/],
    [
      [...explain, '--raw', folder.at('x.npy'), '--method', 'all'],
      /holds one map, \d+ methods .* name it \.npz/,
    ],
    [[...explain, '--style', 'map'], /--style is about the picture; name it by --png/],
    [[...explain, picture, '--style', 'map', '--png', png], /shows one sample and one method/],
    [[...explain, '--method', 'all', '--style', 'overlay', '--png', png], /shows one sample and one method/],
    [[...explain, '--png', picture], /noise\.png is named twice/],
    [[...explain, '--preprocess', 'raw'], /no preprocessing preset "raw"; .*raw255/],
  ];
  it.each(cases)('%j', async (args, line) => {
    await expectRefusal(folder, args, 2, line);
  });

  it('of a style for one sample with an array of two', async () => {
    const two = folder.array('two.npy', new Random(1).normalTensor([2, 3, 8, 8]));
    const args = ['explain', model, two, '--style', 'map', '--png', png];
    await expectRefusal(folder, args, 2, /--style map shows one sample, 2 are given/);
  });

  it('prints the commands where none is named', async () => {
    const { code, out, err } = await unitscope([]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^Usage: unitscope/);
  });
});

describe('help', () => {
  it.each([[['help']], [['--help']], [['-h']]])('%j lists the commands and exit codes', async (args) => {
    const { code, out, err } = await unitscope(args);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^ {2}layers .*\n(.*\n)* {2}explain /m);
    expect(out).toContain('Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.');
  });

  it.each([[['help', 'explain']], [['explain', '--help']]])('%j ends in two examples', async (args) => {
    const { code, out } = await unitscope(args);
    expect(code).toBe(0);
    const [, examples = ''] = out.split('\nExamples:\n');
    expect(examples.match(/^ {4}unitscope explain /gm)).toHaveLength(2);
    for (const option of ['--method', '--layer', '--raw', '--preprocess', '--json', '--size']) {
      expect(out).toContain(option);
    }
  });

  it('has examples that are understood as they stand', async () => {
    const { out } = await unitscope(['help', 'explain']);
    for (const line of out.match(/^ {4}unitscope explain .*/gm) ?? []) {
      const { code, err } = await unitscope(line.trim().split(' ').slice(1));
      // The files are invented; everything else is right.
      expect([code, err]).toEqual([1, expect.stringMatching(/(classes\.txt|net\.onnx).*no such file/)]);
    }
  });

  it('prints the version', async () => {
    const { code, out } = await unitscope(['--version']);
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });
});

describe('failures', () => {
  it('that nobody foresaw are one line, and say where with UNITSCOPE_DEBUG', async () => {
    const run = async () => {
      let err = '';
      const out = {
        write() {
          throw new RangeError('a pipe\n  burst');
        },
      };
      const code = await runCommandLine(['layers', model], { out, err: { write: (text) => (err += text) } });
      return { code, err };
    };
    expect(await run()).toEqual({
      code: 1,
      err: 'unitscope: internal error: a pipe burst; UNITSCOPE_DEBUG=1 shows where\n',
    });
    vi.stubEnv('UNITSCOPE_DEBUG', '1');
    try {
      expect((await run()).err).toMatch(/^unitscope: .*\nRangeError: a pipe\n.*\n +at /);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('by interruption are one line and leave nothing behind', async () => {
    const before = folder.contents();
    const args = ['explain', model, picture, '--png', png, '--raw', folder.at('x.npy')];
    const outcome = await unitscope(args, AbortSignal.abort());
    expect(outcome).toEqual({ code: 130, out: '', err: 'unitscope: interrupted\n' });
    expect(folder.contents()).toEqual(before);
  });
});
