#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/process.js', import.meta.url);
if (!existsSync(fileURLToPath(main))) {
  console.error('unitscope: this checkout is not built yet; run npm run setup');
  process.exit(1);
}
const { runProcess } = await import(main.href);
await runProcess(process.argv.slice(2));
