import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * The file of ONNX Runtime's library: the one UNITSCOPE_ONNXRUNTIME names, else that of the installed package
 * onnxruntime-node. Throws `backend` where the package has none for this platform.
 */
export function onnxRuntimeLibrary(): string {
  const { UNITSCOPE_ONNXRUNTIME: named } = process.env;
  if (named !== undefined && named !== '') return named;
  if (process.platform !== 'linux') {
    throw new UnitscopeError(
      'backend',
      `it runs on Linux only; on ${process.platform} use onnxruntime-node`,
      {
        subject: process.platform,
      },
    );
  }
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  return join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch, 'libonnxruntime.so.1');
}
