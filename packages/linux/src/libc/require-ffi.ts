import type * as NodeFfi from 'node:ffi'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'

export type Ffi = typeof NodeFfi

/** node:ffi; throws where this Node has none. A static import would keep this package from loading there. */
export function requireFfi(): Ffi {
  const ffi = createRequire(import.meta.url)('node:ffi') as Ffi
  // The optimizing compiler of V8 14.6 (Node 26.10) ends the process now and then when it compiles such a call: "Check failed: index <
  // node->op()->ValueInputCount()" in FastApiCallNode::SlowCallArgument, once in some hundred thousand connections. Without its shortcut a call costs 0.15 µs more.
  setFlagsFromString('--no-turbo-fast-api-calls')
  return ffi
}
