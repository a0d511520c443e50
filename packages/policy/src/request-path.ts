import type { PathNormalization } from '@ambit/state'
import { normalizePath } from './normalize-path.ts'

/** `no-connect`: a CONNECT inside a tunnel; `bad-path`: a target that policies can not judge. */
export type RequestPath =
  | { readonly kind: 'path'; readonly path: string; readonly query: string }
  | { readonly kind: 'refused'; readonly reason: 'no-connect' | 'bad-path' }

/** The one path and query of a request that everything judges and sends. */
export function requestPath(
  { method, target }: { readonly method: string; readonly target: string },
  normalization: PathNormalization,
): RequestPath {
  // An endpoint that answers it like any request goes on with the next one, which nobody here would see.
  if (method === 'CONNECT') return { kind: 'refused', reason: 'no-connect' }
  const normalized = normalizePath(target, normalization)
  if (normalized.kind === 'refused') return BAD_PATH
  if (normalized.kind === 'other') {
    if (normalized.form !== 'asterisk' || method !== 'OPTIONS') return BAD_PATH
    return { kind: 'path', path: '*', query: '' }
  }
  return { kind: 'path', path: normalized.path, query: normalized.target.slice(normalized.path.length + 1) }
}

const BAD_PATH: RequestPath = { kind: 'refused', reason: 'bad-path' }
