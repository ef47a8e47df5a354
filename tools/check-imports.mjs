// Who may import whom (docs/architecture.md), checked over the sources: imports of packages, imports that reach into
// another package's files, and the owners of the heavy dependencies.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const ALLOWED = {
  tensor: [],
  kernels: ['tensor'],
  'kernels-linux-x64': [],
  onnx: ['tensor'],
  autodiff: ['onnx', 'tensor'],
  model: ['autodiff', 'onnx', 'kernels', 'tensor'],
  data: ['kernels', 'tensor'],
  training: ['data', 'model', 'autodiff', 'onnx', 'kernels', 'tensor'],
  metrics: ['kernels', 'tensor'],
  report: ['tensor'],
  visualization: ['metrics', 'model', 'autodiff', 'onnx', 'kernels', 'tensor'],
  disentangling: ['metrics', 'model', 'autodiff', 'onnx', 'kernels', 'tensor'],
  cli: [
    'tensor',
    'kernels',
    'onnx',
    'autodiff',
    'model',
    'data',
    'training',
    'metrics',
    'visualization',
    'disentangling',
    'report',
  ],
};

const OWNERS = {
  'onnxruntime-node': ['model'],
  sharp: ['data'],
  '@bufbuild/protobuf': ['onnx'],
  'onnx-buf': ['onnx'],
  '@observablehq/plot': ['report'],
  linkedom: ['report'],
  // It writes pictures for the one and reads the numbers of masks for the other, which sharp turns into colours.
  'fast-png': ['visualization', 'data'],
};

const problems = [];

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.[cm]?[jt]s$/.test(entry.name)) yield path;
  }
}

for (const name of readdirSync(join(root, 'packages'))) {
  const allowed = ALLOWED[name];
  if (allowed === undefined) {
    problems.push(
      `packages/${name}: not in the table of tools/check-imports.mjs; say there what it may import`,
    );
    continue;
  }
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  // A platform package holds a binary and no sources.
  const folder = join(root, 'packages', name, 'src');
  for (const path of existsSync(folder) ? sources(folder) : []) {
    const where = relative(root, path);
    const text = readFileSync(path, 'utf8');
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      if (specifier.startsWith('.')) {
        const target = relative(join(root, 'packages', name), join(dirname(path), specifier));
        if (target.startsWith('..')) problems.push(`${where}: ${specifier} reaches outside its package`);
        continue;
      }
      if (specifier.startsWith('node:')) continue;
      const dependency = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      if (!(dependency in declared))
        problems.push(`${where}: ${dependency} is not a dependency in package.json`);
      const owners = OWNERS[dependency] ?? [name];
      if (!owners.includes(name)) problems.push(`${where}: ${dependency} belongs to ${owners.join(' and ')}`);
      if (dependency.startsWith('@unitscope/') && !allowed.includes(dependency.slice('@unitscope/'.length))) {
        problems.push(`${where}: ${name} may not import ${dependency}`);
      }
    }
  }
  // Tests may build networks and files with any package; only what ships is bound.
  for (const dependency of Object.keys(declared)) {
    if (dependency.startsWith('@unitscope/') && !allowed.includes(dependency.slice('@unitscope/'.length))) {
      problems.push(`packages/${name}/package.json: ${name} may not depend on ${dependency}`);
    }
  }
}

// The C interface is the only thing native sources and CUDA share.
for (const folder of ['native/src', 'cuda']) {
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(cpp|hpp|h|cu|cuh)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    for (const [, header] of readFileSync(path, 'utf8').matchAll(/#include\s+"([^"]+)"/g)) {
      if (folder === 'cuda' && header.includes('src/')) {
        problems.push(`${relative(root, path)}: cuda may include unitscope/*.h only, not ${header}`);
      }
    }
  }
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log('imports: every package imports only what it may');
