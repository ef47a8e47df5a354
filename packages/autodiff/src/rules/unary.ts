import { pointwise } from './pointwise.js';

/** y = e^x: dx = dy y. */
export const exp = { gradient: pointwise('Exp', ({ emit, y, dy }) => emit('Mul', [dy, y])) };

/** y = ln x: dx = dy / x. */
export const log = { gradient: pointwise('Log', ({ emit, x, dy }) => emit('Div', [dy, x])) };

/** y = sqrt x: dx = dy / 2y, infinite at 0 (NaN where dy is 0 too). */
export const sqrt = {
  gradient: pointwise('Sqrt', ({ emit, y, dy, scalar }) => emit('Div', [emit('Mul', [dy, scalar(0.5)]), y])),
};

/** y = 1 / x: dx = -dy y^2. */
export const reciprocal = {
  gradient: pointwise('Reciprocal', ({ emit, y, dy }) =>
    emit('Neg', [emit('Mul', [dy, emit('Mul', [y, y])])]),
  ),
};

/** y = -x. */
export const neg = { gradient: pointwise('Neg', ({ emit, dy }) => emit('Neg', [dy])) };

/** y = |x|: dx = dy sign x, 0 at 0. */
export const abs = {
  gradient: pointwise('Abs', ({ emit, x, dy }) => emit('Mul', [dy, emit('Sign', [x])])),
};

/** y = erf x: dx = dy 2 / sqrt(pi) e^(-x^2). */
export const erf = {
  gradient: pointwise('Erf', ({ emit, x, dy, scalar }) => {
    const bell = emit('Exp', [emit('Neg', [emit('Mul', [x, x])])]);
    return emit('Mul', [dy, emit('Mul', [bell, scalar(2 / Math.sqrt(Math.PI))])]);
  }),
};

// Steps: the derivative is 0 wherever there is one.
export const sign = { gradient: pointwise('Sign', () => undefined) };
export const floor = { gradient: pointwise('Floor', () => undefined) };
export const ceil = { gradient: pointwise('Ceil', () => undefined) };
export const round = { gradient: pointwise('Round', () => undefined) };
