import { openKoffi } from './koffi.ts'
import type { Libc } from './libc.types.ts'
import { openNodeFfi } from './node-ffi.ts'

function load(): Libc {
  const failures: unknown[] = []
  for (const open of [openNodeFfi, openKoffi]) {
    try {
      return open()
    } catch (error) {
      failures.push(error)
    }
  }
  throw new AggregateError(
    failures,
    'no foreign function interface: this Node has no node:ffi (26.9 and later have it) and the package koffi is not installed',
  )
}

let loaded: Libc | undefined

/**
 * The bindings of this thread, opened at first use so that programs that never touch namespaces load nothing.
 * They hold no state but addresses of functions, hence one per thread and not a component.
 */
export function libc(): Libc {
  loaded ??= load()
  return loaded
}
