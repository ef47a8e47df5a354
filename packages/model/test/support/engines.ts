import { type EngineStatus, listEngines } from '@unitscope/model';

/** The engines of this platform. `native` must be there on Linux: a test that finds it missing has found a defect. */
export const ENGINES = process.platform === 'linux' ? ['native', 'onnxruntime-node'] : ['onnxruntime-node'];
if (!ENGINES.includes('native'))
  console.warn(`SKIPPED: the engine native runs on Linux, not on ${process.platform}`);

export interface Configuration {
  readonly engine: string;
  readonly lowering: string;
}

const statuses: readonly EngineStatus[] = (await listEngines()).filter(({ name }) => ENGINES.includes(name));

/** Every engine with every lowering it has on this machine. */
export const CONFIGURATIONS: readonly Configuration[] = statuses.flatMap(
  ({ name, lowerings, available, reason }) => {
    if (!available) throw new Error(`the engine ${name} is not available: ${reason}`);
    return lowerings.map((lowering) => ({ engine: name, lowering }));
  },
);
if (ENGINES.includes('native') && !CONFIGURATIONS.some(({ lowering }) => lowering === 'blocked')) {
  console.warn('SKIPPED: ONNX Runtime has no blocked layout on this machine');
}
