import type { Tensor } from '@unitscope/tensor';
import { type AnyArray, type AnyTensor, type DeviceData, toDeviceSync, toHost } from '../device-buffer.js';
import type { PreparedCase, ResidentCase } from './case.js';

/** Where a case's arrays lie for the runs that are made over them: on the host themselves, on a device copies of them. */
export interface Placing {
  readonly array: <D extends DeviceData>(array: D) => AnyArray<D>;
  readonly tensor: <D extends DeviceData>(tensor: Tensor<D>) => AnyTensor<D>;
}

type Runs = Pick<PreparedCase, 'run' | 'runSync'>;

const onHost: Placing = { array: (array) => array, tensor: (tensor) => tensor };

/**
 * The runs of a case, from the host and with its arrays on a device. `runsOf` makes them over what it places, inputs and
 * outputs alike; it is called once for the host and once for every device.
 *
 * @param restore puts back what a run adds to. It is called before every run from the host, and once before the arrays are
 * copied to a device, where it would be timed along.
 */
export function placeAnywhere(
  runsOf: (at: Placing) => Runs,
  restore: () => void = () => {},
): Pick<PreparedCase, 'run' | 'runSync' | 'resident'> {
  const { run, runSync } = runsOf(onHost);
  return {
    run: (options) => {
      restore();
      return run(options);
    },
    runSync: (options) => {
      restore();
      return runSync(options);
    },
    resident: async (backend): Promise<ResidentCase> => {
      restore();
      const copies: { readonly collect: () => Promise<unknown>; readonly free: () => void }[] = [];
      const array: Placing['array'] = (original) => {
        const copy = toDeviceSync({ dims: [original.length], data: original }, { backend });
        copies.push({ collect: () => toHost(copy, { into: original }), free: () => copy.data.free() });
        return copy.data;
      };
      const free = () => {
        for (const copy of copies) copy.free();
      };
      try {
        const runs = runsOf({ array, tensor: ({ dims, data }) => ({ dims, data: array(data) }) });
        const collect = async () => {
          for (const copy of copies) await copy.collect();
        };
        return { ...runs, collect, free };
      } catch (cause) {
        free();
        throw cause;
      }
    },
  };
}
