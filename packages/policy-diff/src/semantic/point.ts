import { type Ip, ip, parseSpiffeId } from '@ambit/core'
import type { RequestFacts, TokenFacts } from '@ambit/policy'
import { claimPath, type Dimension, isOfToken } from './dimension.ts'
import { splitSubject } from './token-candidates.ts'

/** One value of each dimension that was told apart; undefined: not there. What is not in it has its plainest value. */
export type Values = ReadonlyMap<Dimension, string | undefined>

/** What somebody does, as far as policies look at it. */
export interface Point {
  /** `td/ns/x/sa/y`; undefined: nobody that the mesh knows. */
  readonly client: string | undefined
  readonly sourceIp: Ip | undefined
  readonly sni: string | undefined
  readonly method: string
  readonly path: string
  /** Undefined: the name that is dialled. */
  readonly host: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Undefined: no token. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
}

const PLAIN_TOKEN = 'https://issuer.example\nsomebody'
/** Of documentation (RFC 5737). */
const SOME_IP = ip('198.51.100.1')

export function pointOf(values: Values, client: string): Point {
  const headers: (readonly [string, string])[] = []
  for (const [dimension, value] of values) {
    if (value !== undefined && dimension.startsWith('header ')) headers.push([dimension.slice('header '.length), value])
  }
  const address = values.get('sourceIp')
  return {
    client: values.has('client') ? values.get('client') : client,
    sourceIp: address === undefined ? undefined : ip(address),
    sni: values.get('sni'),
    method: values.get('method') ?? 'GET',
    path: values.get('path') ?? '/',
    host: values.get('host'),
    headers,
    claims: claimsOf(values),
  }
}

function claimsOf(values: Values): Readonly<Record<string, unknown>> | undefined {
  const told = [...values].filter(([dimension, value]) => isOfToken(dimension) && value !== undefined)
  if (told.length === 0) return undefined
  const { issuer, subject } = splitSubject(values.get('subject') ?? PLAIN_TOKEN)
  const claims: Record<string, unknown> = { iss: issuer, sub: subject }
  for (const [dimension, value] of told) {
    if (dimension === 'audience') claims['aud'] = value
    else if (dimension === 'presenter') claims['azp'] = value
    else if (dimension.startsWith('claim ')) put(claims, claimPath(dimension as `claim ${string}`), value)
  }
  return claims
}

/** A claim inside of one that is a text already has no place. */
function put(claims: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let into = claims
  for (const name of path.slice(0, -1)) {
    const inside = Object.hasOwn(into, name) ? into[name] : undefined
    if (inside === undefined) define(into, name, {})
    else if (typeof inside !== 'object') return
    into = into[name] as Record<string, unknown>
  }
  define(into, path.at(-1) ?? '', value)
}

/** `__proto__` is a name like others. */
function define(into: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true })
}

/** The point as clauses of policies see it; the host that is dialled and the destination play no part. */
export function factsOf(point: Point): RequestFacts {
  const address = point.sourceIp ?? SOME_IP
  const headers = new Map(point.headers)
  return {
    sourceIdentity: point.client === undefined ? undefined : parseSpiffeId(`spiffe://${point.client}`),
    sourceIp: address,
    remoteIp: address,
    destinationIp: SOME_IP,
    destinationPort: 80,
    sni: point.sni,
    http: {
      method: point.method,
      path: point.path,
      authority: point.host ?? '',
      header: (name) => headers.get(name),
      token: point.claims === undefined ? undefined : tokenOf(point.claims),
    },
  }
}

function tokenOf(claims: Readonly<Record<string, unknown>>): TokenFacts {
  const text = (name: string): string | undefined => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined
    return typeof value === 'string' ? value : undefined
  }
  const audience = text('aud')
  return {
    principal: `${text('iss') ?? ''}/${text('sub') ?? ''}`,
    audiences: audience === undefined ? [] : [audience],
    presenter: text('azp'),
    claims,
  }
}
