import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { listEngines } from '@unitscope/model';
import { Random } from '@unitscope/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { recordOf, unitscope } from './support/command.js';
import { TemporaryFolder } from './support/files.js';
import { canCompile, unsoundLibraries } from './support/libraries.js';
import { tinyNetwork } from './support/networks.js';
import { expectRefusal } from './support/refusals.js';

const folder = new TemporaryFolder();
const model = await folder.model('tiny.onnx', tinyNetwork());
const array = folder.array('two.npy', new Random(3).normalTensor([2, 3, 8, 8]));
const command = fileURLToPath(new URL('../bin/unitscope.js', import.meta.url));
const isLinux = process.platform === 'linux';
if (!isLinux) console.warn(`SKIPPED: the engine native runs on Linux, not on ${process.platform}`);

const run = promisify(execFile);

/** The real command with another library; a process of its own, since a library stays once it is open. */
async function runWith(args: readonly string[], library: string) {
  const env = { ...process.env, UNITSCOPE_ONNXRUNTIME: library };
  return run(process.execPath, [command, ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (cause: { code: number; stdout: string; stderr: string }) => ({
      code: cause.code,
      out: cause.stdout,
      err: cause.stderr,
    }),
  );
}

const unsound = Object.keys(unsoundLibraries).filter(
  (what) => canCompile() || !/version|computes/.test(what),
);

describe.skipIf(!isLinux).each(unsound)(
  'where the library of ONNX Runtime %s',
  { timeout: 60_000 },
  (what) => {
    let library: string;
    beforeAll(() => {
      library = unsoundLibraries[what]!(folder);
    });

    it('explains on onnxruntime-node, says why in one line, and ends with 0', async () => {
      const { code, out, err } = await runWith(['explain', model, array], library);
      expect(err).toMatch(
        /^unitscope: running on onnxruntime-node, since the engine native cannot be used: .*\n$/,
      );
      expect(err.split('\n')).toHaveLength(2);
      expect([code, out.split('\n').length]).toEqual([0, 3]);
    });

    it('says nothing with --quiet, and has the reason in the record', async () => {
      const quiet = await runWith(['explain', model, array, '--quiet'], library);
      expect([quiet.code, quiet.err]).toEqual([0, '']);
      const { out } = await runWith(['explain', model, array, '--json'], library);
      expect(JSON.parse(out).engine).toMatchObject({
        requested: 'auto',
        name: 'onnxruntime-node',
        reason: expect.stringMatching(/\S/),
        lowering: 'portable',
      });
    });

    it('does not fall back where native is asked for by name', async () => {
      const { code, out, err } = await runWith(['explain', model, array, '--engine', 'native'], library);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(
        /^unitscope: the engine native cannot be used: .*; use onnxruntime-node, or auto[^\n]*\n$/,
      );
    });
  },
);

describe.skipIf(!isLinux)('--engine and --lowering', () => {
  it.each(['portable', 'native'])('runs native with the lowering %s', async (lowering) => {
    const { engine } = await recordOf([
      'explain',
      model,
      array,
      '--engine',
      'native',
      '--lowering',
      lowering,
    ]);
    expect(engine).toEqual({
      requested: 'native',
      name: 'native',
      versions: { onnxruntime: expect.any(String) },
      lowering,
    });
  });

  it('chooses native with its fastest lowering by itself, and is silent about it', async () => {
    const { err } = await unitscope(['explain', model, array]);
    expect(err).toBe('');
    const { engine } = await recordOf(['explain', model, array]);
    const [native] = await listEngines();
    const { lowerings, block } = native!;
    expect(engine).toMatchObject({ requested: 'auto', name: 'native', lowering: lowerings[0] });
    expect(engine.block).toBe(block);
    expect(engine).not.toHaveProperty('reason');
  });

  it('refuses what cannot be', async () => {
    const args = ['explain', model, array, '--engine', 'onnxruntime-node', '--lowering', 'native'];
    await expectRefusal(folder, args, 2, /onnxruntime-node has no lowering "native" here, it has portable/);
    await expectRefusal(folder, ['explain', model, array, '--lowering', 'blockd'], 2, /'blockd' is invalid/);
  });
});
