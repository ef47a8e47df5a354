import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Random, writeNpy } from '@unitscope/tensor';
import { afterEach, describe, expect, it } from 'vitest';
import { pngSize, TemporaryFolder } from './support/files.js';
import { tinyNetwork } from './support/networks.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));

const started: ChildProcess[] = [];
// A test that fails must not leave a process that waits forever.
afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
});

/** Starts the real command; `ended` gives its exit code or signal and what it printed. */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  const printed = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (printed.out += chunk));
  child.stderr.on('data', (chunk) => (printed.err += chunk));
  const ended = once(child, 'close').then(([code, signal]) => ({ end: code ?? signal, ...printed }));
  return { child, ended };
}

/** A pipe in the file system: whoever opens it to read waits for a writer, so a test decides when to go on. */
function makePipe(name: string): string {
  execFileSync('mkfifo', [folder.at(name)]);
  return folder.at(name);
}

describe('the process', { timeout: 30_000 }, () => {
  it('explains, writes and ends with 0', async () => {
    const picture = folder.picture('noise.png').path;
    const png = folder.at('map.png');
    const { end, out, err } = await start(['explain', model, picture, '--png', png, '--quiet']).ended;
    expect([end, err]).toEqual([0, '']);
    expect(out).toMatch(/^noise\.png: class \d [^\n]*\n$/);
    expect(pngSize(png)[0]).toBeGreaterThan(224);
  });

  it('ends with 1 for what fails and 2 for wrong use', async () => {
    const [failed, wrong] = [start(['layers', folder.at('absent.onnx')]), start(['layer'])];
    expect(await failed.ended).toEqual({
      end: 1,
      out: '',
      err: expect.stringMatching(/^unitscope: [^\n]+\n$/),
    });
    expect(await wrong.ended).toEqual({
      end: 2,
      out: '',
      err: "unitscope: unknown command 'layer' (Did you mean layers?)\n",
    });
  });

  it('takes a reader who stops, as head does, for no failure', async () => {
    const { child, ended } = start(['layers', model, '--json']);
    child.stdout.destroy();
    expect(await ended).toEqual({ end: 0, out: '', err: '' });
  });
});

describe.skipIf(process.platform === 'win32')('Ctrl-C', { timeout: 30_000 }, () => {
  it('ends with one line and leaves nothing behind', async () => {
    const pipe = makePipe('first.npy');
    const before = folder.contents();
    const { child, ended } = start(['explain', model, pipe, '--raw', folder.at('out/map.npy')]);
    // Opens once the command reads: it is in the middle of its work.
    const writer = await open(pipe, 'w');
    child.kill('SIGINT');
    await writer.write(writeNpy(new Random(1).normalTensor([1, 3, 8, 8])));
    await writer.close();
    expect(await ended).toEqual({ end: 130, out: '', err: 'unitscope: interrupted\n' });
    expect(folder.contents()).toEqual(before);
  });

  it('ends the process when it comes again', async () => {
    const pipe = makePipe('second.npy');
    const { child, ended } = start(['explain', model, pipe]);
    // Never written to: only a signal ends the wait.
    const writer = await open(pipe, 'w');
    const again = setInterval(() => child.kill('SIGINT'), 20);
    const { end, out } = await ended;
    clearInterval(again);
    await writer.close();
    expect([end, out]).toEqual(['SIGINT', '']);
  });
});
