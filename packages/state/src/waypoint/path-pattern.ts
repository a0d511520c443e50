import type { PathPattern, PathSegment } from './http-authorization.types.ts'
import { stringMatch } from './string-match.ts'

const OPERATOR = /\{\*\*?\}/

/**
 * A value of `paths`: with `{*}` or `{**}` a template, else text. Undefined for a template that Istio refuses: without a leading slash,
 * with text beside an operator or a `*` elsewhere, or with an operator after `{**}`.
 */
export function pathPattern(source: string): PathPattern | undefined {
  if (!OPERATOR.test(source)) return { kind: 'text', text: stringMatch(source) }
  if (!source.startsWith('/')) return undefined
  const segments = source.slice(1).split('/').map(pathSegment)
  if (!segments.every((segment) => segment !== undefined)) return undefined
  const rest = segments.findIndex(({ kind }) => kind === 'any-number')
  if (rest >= 0 && segments.slice(rest + 1).some(({ kind }) => kind !== 'literal')) return undefined
  return { kind: 'template', source, segments }
}

function pathSegment(text: string): PathSegment | undefined {
  if (text === '{*}') return { kind: 'one' }
  if (text === '{**}') return { kind: 'any-number' }
  return /[*{}]/.test(text) ? undefined : { kind: 'literal', value: text }
}
