import { UnitscopeError } from '@unitscope/tensor';

/**
 * The learning rate over the epochs, plain data.
 *
 * - `constant`
 * - `steps`: multiplied by `factor` from each of the epochs `at` on
 * - `cosine`: from `rate` to 0 over `epochs`, half a cosine, after `warmup` epochs in which it grows from 0
 * - `logspace`: geometrically from `from` in the first epoch to `to` in the last of `epochs`, then `to`; one value per
 *   epoch, as MATLAB's logspace gives it
 */
export type Schedule =
  | { readonly kind: 'constant'; readonly rate: number }
  | { readonly kind: 'steps'; readonly rate: number; readonly factor: number; readonly at: readonly number[] }
  | { readonly kind: 'cosine'; readonly rate: number; readonly epochs: number; readonly warmup?: number }
  | { readonly kind: 'logspace'; readonly from: number; readonly to: number; readonly epochs: number };

/** A schedule from a number or a schedule. Throws `wrong-use` for rates that are negative or no numbers. */
export function scheduleOf(given: number | Schedule): Schedule {
  const schedule: Schedule = typeof given === 'number' ? { kind: 'constant', rate: given } : given;
  const rates = schedule.kind === 'logspace' ? [schedule.from, schedule.to] : [schedule.rate];
  const wrong = rates.find((rate) => !(rate >= 0 && Number.isFinite(rate)));
  if (wrong !== undefined) {
    throw new UnitscopeError('wrong-use', `a learning rate must be a number of 0 or more, it is ${wrong}`);
  }
  return schedule;
}

/** The learning rate after so many epochs, a fraction in the middle of one. */
export function learningRateAt(schedule: Schedule, epoch: number): number {
  switch (schedule.kind) {
    case 'constant':
      return schedule.rate;
    case 'steps':
      return schedule.at.reduce((rate, at) => (epoch >= at ? rate * schedule.factor : rate), schedule.rate);
    case 'cosine': {
      const { rate, epochs, warmup = 0 } = schedule;
      if (epoch < warmup) return (rate * epoch) / warmup;
      const done = Math.min(1, (epoch - warmup) / Math.max(epochs - warmup, Number.MIN_VALUE));
      return (rate * (1 + Math.cos(Math.PI * done))) / 2;
    }
    case 'logspace': {
      const { from, to, epochs } = schedule;
      const share = epochs <= 1 ? 1 : Math.min(1, Math.floor(epoch) / (epochs - 1));
      return from * (to / from) ** share;
    }
  }
}
