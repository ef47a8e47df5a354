import { UnitscopeError } from '@unitscope/tensor';

// What ONNX Runtime says, as errors of ours: of its own bindings too, whose errors have no code but more words.

/** ONNX Runtime's own codes, as far as they say more than that something failed. */
const INVALID_ARGUMENT = 2;
const NOT_IMPLEMENTED = 9;

// Beyond these codes ONNX Runtime answers with text only. What is not recognised keeps its own words.
const UNSUPPORTED =
  /NOT_IMPLEMENTED|Could not find an implementation|is not a registered function\/op|No Op registered for|Unsupported model IR version|Unknown model file format version|opset .*(not supported|is under development)/i;
const NO_MEMORY = /bad_alloc|Failed to allocate memory|out of memory/i;
const BAD_INPUT =
  /^(Invalid rank for input|Got invalid dimensions for input|Unexpected input data type|Tensor's size\(|A \w+ tensor's data must be)|is missing in 'feeds'/;
const NODE = /while running (\S+) node\. Name:'([^']*)' Status Message: (.*)$/s;

/** Why a library cannot be used. */
export function openFailure(library: string, cause: unknown): UnitscopeError {
  return new UnitscopeError('backend', `ONNX Runtime cannot be used: ${shorten(textOf(cause))}`, {
    subject: library,
    cause,
  });
}

/** What went wrong while a model was loaded. */
export function loadFailure(label: string, cause: unknown): UnitscopeError {
  const text = textOf(cause);
  const details = { subject: label, cause };
  if (NO_MEMORY.test(text)) {
    return new UnitscopeError('backend', `there is not enough memory to load ${label}`, details);
  }
  if (statusOf(cause) === NOT_IMPLEMENTED || UNSUPPORTED.test(text)) {
    return new UnitscopeError('unsupported', `ONNX Runtime cannot run ${label}: ${shorten(text)}`, details);
  }
  return new UnitscopeError('bad-file', `ONNX Runtime refuses ${label}: ${shorten(text)}`, details);
}

/** What went wrong while a session was run. */
export function runFailure(label: string, cause: unknown): UnitscopeError {
  const text = textOf(cause);
  const details = { subject: label, cause };
  const node = NODE.exec(text);
  const at = node === null ? '' : ` at node "${node[2]}" (${node[1]})`;
  if (NO_MEMORY.test(text)) {
    return new UnitscopeError('backend', `${label} ran out of memory${at}; give smaller batches`, details);
  }
  const reason = shorten(node === null ? text : node[3]!);
  if (statusOf(cause) === NOT_IMPLEMENTED) {
    return new UnitscopeError('unsupported', `${label} fails${at}: ${reason}`, details);
  }
  const status = statusOf(cause) ?? INVALID_ARGUMENT;
  const isInput = status === INVALID_ARGUMENT && BAD_INPUT.test(text);
  return new UnitscopeError(isInput ? 'bad-input' : 'backend', `${label} fails${at}: ${reason}`, details);
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function statusOf(cause: unknown): unknown {
  return cause instanceof Error && 'status' in cause ? cause.status : undefined;
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
