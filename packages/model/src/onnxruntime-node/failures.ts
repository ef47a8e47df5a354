import type { Failure } from './protocol.js';

// ONNX Runtime answers with text only. Its wording has been the same over many versions; what is not recognised keeps
// its own words.

const UNSUPPORTED = [
  /NOT_IMPLEMENTED/,
  /Could not find an implementation/i,
  /is not a registered function\/op/i,
  /No Op registered for/i,
  /Unsupported model IR version/i,
  /Unknown model file format version/i,
  /opset .*(not supported|is under development)/i,
];

const NO_MEMORY = [/bad_alloc/i, /Failed to allocate memory/i, /out of memory/i];

const BAD_INPUT = [
  /^Invalid rank for input/,
  /^Got invalid dimensions for input/,
  /^Unexpected input data type/,
  /is missing in 'feeds'/,
  /^Tensor's size\(/,
  /^A \w+ tensor's data must be/,
];

/** What went wrong while a graph was loaded. */
export function loadFailure(label: string, cause: unknown): Failure {
  const raw = textOf(cause);
  const text = shorten(raw);
  if (NO_MEMORY.some((pattern) => pattern.test(raw))) {
    return { code: 'backend', message: `there is not enough memory to load ${label}` };
  }
  if (UNSUPPORTED.some((pattern) => pattern.test(raw))) {
    return { code: 'unsupported', message: `ONNX Runtime cannot run ${label}: ${text}` };
  }
  return { code: 'bad-file', message: `ONNX Runtime refuses ${label}: ${text}` };
}

/** What went wrong while a graph was run. */
export function runFailure(label: string, cause: unknown): Failure {
  const text = textOf(cause);
  const node = /while running (\S+) node\. Name:'([^']*)' Status Message: (.*)$/s.exec(text);
  const at = node === null ? '' : ` at node "${node[2]}" (${node[1]})`;
  if (NO_MEMORY.some((pattern) => pattern.test(text))) {
    return { code: 'backend', message: `${label} ran out of memory${at}; give smaller batches` };
  }
  const reason = shorten(node === null ? text : node[3]!);
  const code = BAD_INPUT.some((pattern) => pattern.test(text)) ? 'bad-input' : 'backend';
  return { code, message: `${label} fails${at}: ${reason}` };
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** One line without the paths of ONNX Runtime's own sources, of a length a person reads. */
function shorten(text: string): string {
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/\S+\.(cc|h|cpp):\d+ (\S+ )?/g, '')
    .replace(/type of function (\w+)\(\) \{ \[native code\] \}/, '$1')
    .replace(/^\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
    .trim();
  return line.length > 400 ? `${line.slice(0, 400)}…` : line;
}
