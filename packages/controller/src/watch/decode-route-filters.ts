import type { BackendRef, Cors, HeaderChanges, HeaderValue, PathChange, RouteRule, TextMatch } from '../route.types.ts'
import { isRecord, type Json, list, portNumber, record, text, texts, unsigned } from './json.ts'

type Effects = Pick<RouteRule, 'requestHeaders' | 'responseHeaders' | 'redirect' | 'rewrite' | 'mirrors' | 'cors'>

export interface DecodedFilters {
  readonly effects: Effects
  /** Filters that are not understood or not supported. */
  readonly problems: readonly string[]
}

/** Which filters can stand there: all at a rule, those for headers also at a backend. */
export type FilterPlace = 'rule' | 'backend'

const DEFAULT_REDIRECT_STATUS = 302
const MILLION = 1_000_000

export function decodeFilters(
  value: unknown,
  path: string,
  place: FilterPlace,
  backendOf: (value: unknown, path: string) => BackendRef,
): DecodedFilters {
  const effects: { -readonly [K in keyof Effects]: Effects[K] } = {
    requestHeaders: undefined,
    responseHeaders: undefined,
    redirect: undefined,
    rewrite: undefined,
    mirrors: [],
  }
  const problems: string[] = []
  const seen = new Set<string>()
  for (const [index, entry] of list(value).entries()) {
    const filter = record(entry)
    const at = `${path}[${index}]`
    const type = text(filter['type']) ?? ''
    if (seen.has(type) && type !== 'RequestMirror') problems.push(`${at}: ${type} stands there twice`)
    seen.add(type)
    const headers = type === 'RequestHeaderModifier' || type === 'ResponseHeaderModifier'
    if (place === 'backend' && !headers) {
      problems.push(`${at}: ${type || 'a filter without type'} is not supported at a backend`)
      continue
    }
    switch (type) {
      case 'RequestHeaderModifier':
        effects.requestHeaders = headerChanges(filter['requestHeaderModifier'])
        break
      case 'ResponseHeaderModifier':
        effects.responseHeaders = headerChanges(filter['responseHeaderModifier'])
        break
      case 'RequestRedirect':
        effects.redirect = redirectOf(record(filter['requestRedirect']), at, problems)
        break
      case 'URLRewrite': {
        const rewrite = record(filter['urlRewrite'])
        effects.rewrite = {
          hostname: text(rewrite['hostname']) ?? '',
          path: pathChange(rewrite['path'], `${at}.urlRewrite.path`, problems),
        }
        break
      }
      case 'RequestMirror': {
        const mirror = record(filter['requestMirror'])
        const backend = backendOf(mirror['backendRef'], `${at}.requestMirror.backendRef`)
        effects.mirrors = [...effects.mirrors, { backend, perMillion: perMillionOf(mirror) }]
        break
      }
      case 'CORS':
        effects.cors = corsOf(record(filter['cors']))
        break
      default:
        problems.push(`${at}: ${type || 'a filter without type'} is not supported`)
    }
  }
  return { effects, problems }
}

/** Preflights of other origins are not passed on (Istio). */
function corsOf(cors: Json): Cors {
  return {
    allowOrigins: texts(cors['allowOrigins']).map(originOf),
    allowMethods: texts(cors['allowMethods']),
    allowHeaders: texts(cors['allowHeaders']),
    exposeHeaders: texts(cors['exposeHeaders']),
    maxAgeSeconds: unsigned(cors['maxAge']),
    allowCredentials: cors['allowCredentials'] === true,
    answerAllPreflights: true,
  }
}

/** `*` stands for any text, in a host for any number of labels. */
function originOf(origin: string): TextMatch {
  if (!origin.includes('*')) return { kind: 'exact', value: origin }
  const literal = origin.replaceAll(/[\\^$.+?()[\]{}|]/g, String.raw`\$&`)
  return { kind: 'regex', value: literal.replaceAll('*', '.*') }
}

function redirectOf(redirect: Json, at: string, problems: string[]): Effects['redirect'] {
  const status = redirect['statusCode']
  return {
    scheme: text(redirect['scheme']) ?? '',
    hostname: text(redirect['hostname']) ?? '',
    port: portNumber(redirect['port']) ?? 0,
    path: pathChange(redirect['path'], `${at}.requestRedirect.path`, problems),
    status: typeof status === 'number' ? status : DEFAULT_REDIRECT_STATUS,
  }
}

function pathChange(value: unknown, at: string, problems: string[]): PathChange | undefined {
  if (!isRecord(value)) return undefined
  switch (value['type']) {
    case 'ReplaceFullPath':
      return { kind: 'full', value: text(value['replaceFullPath']) ?? '' }
    case 'ReplacePrefixMatch':
      return { kind: 'prefix', value: text(value['replacePrefixMatch']) ?? '' }
    default:
      problems.push(`${at}: ${JSON.stringify(value['type'])} is no type of path change`)
      return undefined
  }
}

/** All, a percentage or a fraction of the requests. */
function perMillionOf(mirror: Json): number {
  const { percent } = mirror
  if (typeof percent === 'number') return share(percent, 100)
  const fraction = mirror['fraction']
  if (!isRecord(fraction)) return MILLION
  const { numerator, denominator } = fraction
  return share(typeof numerator === 'number' ? numerator : 0, typeof denominator === 'number' ? denominator : 100)
}

function share(part: number, of: number): number {
  if (!(of > 0) || !(part > 0)) return 0
  return Math.min(MILLION, Math.round((part / of) * MILLION))
}

function headerChanges(value: unknown): HeaderChanges {
  const changes = record(value)
  return { set: headerValues(changes['set']), add: headerValues(changes['add']), remove: texts(changes['remove']) }
}

function headerValues(value: unknown): readonly HeaderValue[] {
  return list(value).map((entry) => {
    const { name, value: content } = record(entry)
    return { name: text(name) ?? '', value: text(content) ?? '' }
  })
}
