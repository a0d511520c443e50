import type { Finding } from './message.types.ts'
import { fullNameOf } from './source.types.ts'

/** On an object: codes that are not told of it, or `*`. */
const ANNOTATION = 'galley.istio.io/analyze-suppress'

/** From the command line: `IST0102=Namespace shop`; `*` stands for anything. */
export interface Suppression {
  readonly code: string
  readonly resource: string
}

/** Undefined: it is none. */
export function parseSuppression(written: string): Suppression | undefined {
  const [code = '', resource = '', ...more] = written.split('=')
  return code === '' || resource === '' || more.length > 0 ? undefined : { code, resource }
}

export function isSuppressed({ code, about }: Finding, suppressions: readonly Suppression[]): boolean {
  const written = about.object.metadata.annotations?.[ANNOTATION]
  const listed = typeof written === 'string' ? written.split(',').map((one) => one.trim()) : []
  if (listed.includes('*') || listed.includes(code)) return true
  const { kind, metadata } = about.object
  // `Kind name.namespace` is how istioctl's help has it, `Kind namespace/name` how messages do.
  const names = [
    `${kind} ${fullNameOf(about)}`,
    `${kind} ${metadata.name}${metadata.namespace === undefined ? '' : `.${metadata.namespace}`}`,
  ]
  return suppressions.some((one) => one.code === code && names.some((name) => fits(one.resource, name)))
}

function fits(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === name
  const last = rest.pop() ?? ''
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
  let from = first.length
  const end = name.length - last.length
  for (const part of rest) {
    const found = name.indexOf(part, from)
    if (found < 0 || found + part.length > end) return false
    from = found + part.length
  }
  return true
}
