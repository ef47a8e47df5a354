// clang-tidy over the native sources, as they were compiled. Finds nothing, or fails.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './setup.mjs';

const sources = ['src', 'test'].flatMap((folder) =>
  readdirSync(join(root, 'native', folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.cpp'))
    .map((entry) => join(entry.parentPath, entry.name)),
);
run('clang-tidy', ['-p', join(root, 'native', 'build'), '--quiet', ...sources]);
console.log(`clang-tidy: ${sources.length} files clean`);
