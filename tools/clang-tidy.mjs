// clang-tidy over the native sources, as they were compiled. It is slow, so sources that were clean are not read again.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fail, root, step } from './setup.mjs';

const sources = ['src', 'test', 'bench'].flatMap((folder) =>
  readdirSync(join(root, 'native', folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.cpp'))
    .map((entry) => join(entry.parentPath, entry.name)),
);

/** The findings of one file; clang-tidy counts what it suppressed on the error stream, which says nothing. */
function check(source) {
  return new Promise((resolve) => {
    const tidy = spawn('clang-tidy', ['-p', join(root, 'native', 'build'), '--quiet', source], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [findings, errors] = ['', ''];
    tidy.stdout.on('data', (text) => {
      findings += text;
    });
    tidy.stderr.on('data', (text) => {
      errors += text;
    });
    tidy.on('error', (error) => resolve(String(error)));
    tidy.on('close', (code) => resolve(code === 0 ? findings : findings || errors));
  });
}

export async function checkNativeSources() {
  await step(
    'checking the native sources with clang-tidy',
    ['native'],
    () => true,
    async () => {
      const waiting = [...sources];
      const findings = [];
      const work = async () => {
        for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
          const found = await check(source);
          if (found.trim() !== '') findings.push(`${relative(root, source)}\n${found}`);
        }
      };
      await Promise.all(Array.from({ length: availableParallelism() }, work));
      if (findings.length > 0) {
        console.error(findings.join('\n'));
        fail(`clang-tidy found something in ${findings.length} of ${sources.length} files`);
      }
    },
  );
  console.log(`clang-tidy: ${sources.length} files clean`);
}
