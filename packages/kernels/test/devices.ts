import { Random, sizeOf, type Tensor } from '@unitscope/tensor';
import { expect } from 'vitest';
import {
  DeviceBuffer,
  type DeviceData,
  type DeviceName,
  type DeviceTensor,
  listBackends,
  toHost,
} from '../src/index.js';

const available = listBackends().filter((backend) => backend.available);

/** The back ends with memory that work on this machine. */
export const devices = (['cpu', 'cuda'] as const satisfies DeviceName[]).filter((name) =>
  available.some((backend) => backend.name === name),
);

/** Seeded normal values. */
export function values(dims: readonly number[], seed: number): Tensor {
  const random = new Random(seed);
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, () => random.normal()) };
}

/** That what lies on the device is what the host has, bit for bit. */
export async function expectSame<D extends DeviceData>(
  actual: DeviceTensor<D>,
  expected: Tensor<D>,
): Promise<void> {
  expect(actual.data).toBeInstanceOf(DeviceBuffer);
  expect(await toHost(actual)).toEqual(expected);
}
