import { UnitscopeError } from '@unitscope/tensor';
import {
  type AnyArray,
  type ArrayType,
  DeviceBuffer,
  type DeviceData,
  type DeviceName,
  toDeviceSync,
} from './device-buffer.js';

/** The arguments of a kernel once it is known that no array of them lies on a device. */
export type OnHost<A> = { readonly [N in keyof A]: Exclude<A[N], DeviceBuffer<DeviceData>> };

/**
 * The back end whose memory arrays of a call lie in, or undefined if all are typed arrays. Throws `wrong-use` for a buffer
 * that has been freed and for buffers of several back ends.
 */
export function deviceOf(kernel: string, args: object): DeviceName | undefined {
  let first: { readonly name: string; readonly backend: DeviceName } | undefined;
  for (const [name, value] of Object.entries(args)) {
    if (!(value instanceof DeviceBuffer)) continue;
    const { backend, freed } = value;
    if (freed) {
      throw new UnitscopeError('wrong-use', `${kernel}: ${name} is a DeviceBuffer that has been freed`, {
        subject: name,
      });
    }
    first ??= { name, backend };
    if (backend !== first.backend) {
      throw new UnitscopeError(
        'wrong-use',
        `${kernel}: ${first.name} lies on ${first.backend}, ${name} on ${backend}; move one of them with toHost and toDevice`,
        { subject: name },
      );
    }
  }
  return first?.backend;
}

/** Throws `wrong-use` if an array of a call lies on a device, where the reference cannot read it. */
export function requireOnHost<A extends object>(kernel: string, args: A): asserts args is A & OnHost<A> {
  const [name] = Object.entries(args).find(([, value]) => value instanceof DeviceBuffer) ?? [];
  if (name === undefined) return;
  throw new UnitscopeError(
    'wrong-use',
    `${kernel}: the reference takes typed arrays and ${name} is a DeviceBuffer; copy it with toHost first`,
    { subject: name },
  );
}

function requirePlace(name: string, given: AnyArray<DeviceData>, like: AnyArray<DeviceData>): void {
  const wanted = like instanceof DeviceBuffer ? `a DeviceBuffer on ${like.backend}` : 'a typed array';
  const found = given instanceof DeviceBuffer ? `a DeviceBuffer on ${given.backend}` : 'a typed array';
  if (wanted === found) return;
  throw new UnitscopeError(
    'wrong-use',
    `${name} to write to must be ${wanted}, as the first tensor is, it is ${found}; use toHost or toDevice`,
    { subject: name },
  );
}

/**
 * The array a result goes to: the caller's, or a new one of unset elements. It lies where `like` does, the first tensor of
 * the call. Throws `wrong-use` if the caller's lies elsewhere, `bad-input` if it has another length.
 */
export function outputLike<D extends DeviceData>(
  like: AnyArray<DeviceData>,
  name: string,
  given: AnyArray<D> | undefined,
  type: ArrayType<D>,
  length: number,
): AnyArray<D> {
  if (given === undefined)
    return like instanceof DeviceBuffer ? new DeviceBuffer(like.backend, type, length) : new type(length);
  requirePlace(name, given, like);
  if (given.length !== length) {
    throw new UnitscopeError(
      'bad-input',
      `${name} to write to must have ${length} elements, it has ${given.length}`,
      { subject: name },
    );
  }
  return given;
}

/** As `outputLike`, for a result that is added to: a new array is of zeros. */
export function sumLike<D extends DeviceData>(
  like: AnyArray<DeviceData>,
  name: string,
  given: AnyArray<D> | undefined,
  type: ArrayType<D>,
  length: number,
): AnyArray<D> {
  if (given !== undefined || !(like instanceof DeviceBuffer))
    return outputLike(like, name, given, type, length);
  return toDeviceSync({ dims: [length], data: new type(length) }, { backend: like.backend }).data;
}
