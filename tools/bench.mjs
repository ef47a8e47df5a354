// `npm run bench -- NAME [OPTIONS]`: sets the checkout up, then measures.
import { join } from 'node:path';
import { root, run, setUp } from './setup.mjs';

await setUp();
run(process.execPath, [join(root, 'bench', 'dist', 'main.js'), ...process.argv.slice(2)]);
