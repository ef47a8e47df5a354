import { listEngines } from '@unitscope/model';

/** The engines of this platform. */
export const ENGINES = process.platform === 'linux' ? ['native', 'onnxruntime-node'] : ['onnxruntime-node'];

export interface Configuration {
  readonly engine: string;
  readonly lowering: string;
}

/** Every engine with every lowering it has on this machine. On Linux the engine native must be there. */
export const CONFIGURATIONS: readonly Configuration[] = (await listEngines()).flatMap(
  ({ name, lowerings, available, reason }) => {
    if (!available && process.platform === 'linux') throw new Error(`the engine ${name}: ${reason}`);
    if (!available) console.warn(`SKIPPED: the engine ${name} is not available: ${reason}`);
    return lowerings.map((lowering) => ({ engine: name, lowering }));
  },
);
if (!CONFIGURATIONS.some(({ lowering }) => lowering === 'blocked')) {
  console.warn('SKIPPED: ONNX Runtime has no blocked layout on this machine');
}
