import type { AnyObject, Sourced } from '@ambit/analyze'
import { keyOf } from './inventory.ts'

/** What there is of a policy to be tried. */
export interface PolicyFacts {
  /** `namespace/name`. */
  readonly policy: string
  readonly kind: string
  readonly action: string
  /** The fields of each rule, as traces name them. */
  readonly rules: readonly (readonly string[])[]
}

const DRY_RUN = 'istio.io/dry-run'

/** Of all policies that can decide something themselves: of PeerAuthentications those that refuse plain text. */
export function policyFacts(objects: readonly Sourced[]): readonly PolicyFacts[] {
  return objects.flatMap(({ object }) => {
    const { apiVersion, kind, metadata } = object
    if (!apiVersion.startsWith('security.istio.io/') || metadata.annotations?.[DRY_RUN] === 'true') return []
    if (kind === 'PeerAuthentication')
      return isStrict(object.spec) ? [{ policy: keyOf(object), kind, action: '', rules: [] }] : []
    if (kind !== 'AuthorizationPolicy') return []
    const action = fieldOf(object.spec, 'action')
    const name = typeof action === 'string' ? action : 'ALLOW'
    return [{ policy: keyOf(object), kind, action: name, rules: rulesOf(object) }]
  })
}

function isStrict(spec: unknown): boolean {
  const modes = [fieldOf(spec, 'mtls'), ...Object.values(mapping(fieldOf(spec, 'portLevelMtls')))]
  return modes.some((settings) => fieldOf(settings, 'mode') === 'STRICT')
}

function rulesOf({ spec }: AnyObject): readonly (readonly string[])[] {
  return listOf(spec, 'rules').map((rule) => [
    ...listOf(rule, 'from').flatMap((entry, i) =>
      fieldsOf(fieldOf(entry, 'source')).map((name) => `from[${i}].source.${name}`),
    ),
    ...listOf(rule, 'to').flatMap((entry, i) =>
      fieldsOf(fieldOf(entry, 'operation')).map((name) => `to[${i}].operation.${name}`),
    ),
    ...listOf(rule, 'when').map((entry, i) => `when[${i}][${String(fieldOf(entry, 'key'))}]`),
  ])
}

/** A field and its negative are one clause. */
function fieldsOf(value: unknown): readonly string[] {
  const names = Object.entries(mapping(value)).flatMap(([name, values]) =>
    Array.isArray(values) && values.length > 0
      ? [name.replace(/^not([A-Z])/, (_, first: string) => first.toLowerCase())]
      : [],
  )
  return [...new Set(names)]
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const found = fieldOf(value, name)
  return Array.isArray(found) ? found : []
}

function fieldOf(value: unknown, name: string): unknown {
  const inside = mapping(value)
  return Object.hasOwn(inside, name) ? inside[name] : undefined
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
