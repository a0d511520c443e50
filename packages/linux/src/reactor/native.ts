import type * as NodeFfi from 'node:ffi'
import { messageOf } from '@ambit/core'
import { type Ffi, requireFfi } from '../libc/require-ffi.ts'
import { ReactorUnavailableError } from './errors.ts'

export type { Ffi }

/** node:ffi, whose pointers are made once and used for good. The second backend has no such: it is an error here. */
export function nodeFfi(): Ffi {
  try {
    return requireFfi()
  } catch (cause) {
    throw new ReactorUnavailableError(
      `this Node (${process.version}) has no node:ffi, which the reactor is built on; 26.9 and later have it: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** Memory that native code reads and writes. It does not move; whoever uses the pointer must hold `bytes` for as long. */
export interface NativeBytes {
  readonly bytes: Buffer<ArrayBuffer>
  readonly pointer: bigint
}

export function nativeBytes(ffi: Ffi, length: number): NativeBytes {
  // Of an ArrayBuffer of its own: small typed arrays may lie in the heap, whose contents move.
  const bytes = Buffer.from(new ArrayBuffer(length))
  return { bytes, pointer: ffi.getRawPointer(bytes) }
}

let held: unknown

/** To be called after the last use of a pointer: until then the collector must not think that nobody needs what it leads to. */
export function keepAlive(...memory: readonly NativeBytes[]): void {
  held = memory
  if (held !== undefined) held = undefined
}

/** The calls of the reactor. Lengths stay below 2 GiB: where C says size_t, 32 bits are declared, so that no BigInt is made. */
const FUNCTIONS = {
  accept4: { arguments: ['int32', 'pointer', 'pointer', 'int32'], return: 'int32' },
  bind: { arguments: ['int32', 'pointer', 'uint32'], return: 'int32' },
  close: { arguments: ['int32'], return: 'int32' },
  connect: { arguments: ['int32', 'pointer', 'uint32'], return: 'int32' },
  epoll_create1: { arguments: ['int32'], return: 'int32' },
  epoll_ctl: { arguments: ['int32', 'int32', 'int32', 'pointer'], return: 'int32' },
  epoll_wait: { arguments: ['int32', 'pointer', 'int32', 'int32'], return: 'int32' },
  eventfd: { arguments: ['uint32', 'int32'], return: 'int32' },
  getpeername: { arguments: ['int32', 'pointer', 'pointer'], return: 'int32' },
  getsockname: { arguments: ['int32', 'pointer', 'pointer'], return: 'int32' },
  getsockopt: { arguments: ['int32', 'int32', 'int32', 'pointer', 'pointer'], return: 'int32' },
  listen: { arguments: ['int32', 'int32'], return: 'int32' },
  read: { arguments: ['int32', 'pointer', 'uint32'], return: 'int32' },
  setsockopt: { arguments: ['int32', 'int32', 'int32', 'pointer', 'uint32'], return: 'int32' },
  shutdown: { arguments: ['int32', 'int32'], return: 'int32' },
  socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
  writev: { arguments: ['int32', 'pointer', 'int32'], return: 'int32' },
  __errno_location: { arguments: [], return: 'pointer' },
} as const

export type NativeFunctions = NodeFfi.WrappedFunctionsFromDefinitions<typeof FUNCTIONS>

export interface Native {
  readonly ffi: Ffi
  readonly calls: NativeFunctions
  /** Element 0 is errno of the last call on this thread that failed. */
  readonly errno: Int32Array
}

export function openNative(): Native {
  const ffi = nodeFfi()
  const calls = ffi.dlopen(null, FUNCTIONS).functions
  // errno lives at a fixed address per thread.
  return { ffi, calls, errno: new Int32Array(ffi.toArrayBuffer(calls.__errno_location(), 4, false)) }
}
