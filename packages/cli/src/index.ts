export { type ExitCode, runCommandLine } from './main.js';
export type { Streams } from './streams.js';
