import type { FurtherConditions, PathMatch, RequestMatch, TextMatch, ValueMatch } from '../route.types.ts'
import type { VirtualMatch } from '../virtual-service.types.ts'
import { gatewayNames } from './decode-virtual-service-names.ts'
import { isRecord, type Json, portNumber, record, text } from './json.ts'

const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'uri',
  'ignoreUriCase',
  'scheme',
  'method',
  'authority',
  'headers',
  'withoutHeaders',
  'queryParams',
  'port',
  'gateways',
  'sourceLabels',
  'sourceNamespace',
  'statPrefix',
])

/** Claims of a token, which Istio looks at only in its ingress gateways. */
const CLAIMS = '@request.auth.claims'

/** Reads one match; conditions it can not read are left out of it and named among the problems. */
export function decodeVirtualMatch(
  value: unknown,
  path: string,
  at: { readonly namespace: string; readonly problems: string[]; readonly notes: string[] },
): VirtualMatch {
  const { namespace, problems, notes } = at
  const match = record(value)
  for (const key of Object.keys(match)) if (!FIELDS.has(key)) problems.push(`${path}.${key}: not understood`)
  const labels = Object.keys(record(match['sourceLabels']))
  if (labels.length > 0) notes.push(`${path}.sourceLabels: a waypoint does not know them, the match is left out`)
  const port = portNumber(match['port'])
  if (match['port'] !== undefined && match['port'] !== 0 && port === undefined) problems.push(`${path}.port: no port`)
  return {
    name: text(match['name']) ?? '',
    request: requestOf(match, path, problems),
    port,
    gateways: gatewayNames(match['gateways'], namespace),
    impossible: labels.length > 0,
  }
}

function requestOf(match: Json, path: string, problems: string[]): RequestMatch {
  const method = textMatch(match['method'], `${path}.method`, problems)
  const more: FurtherConditions = {
    method: method?.kind === 'exact' ? undefined : method,
    scheme: textMatch(match['scheme'], `${path}.scheme`, problems),
    authority: textMatch(match['authority'], `${path}.authority`, problems),
    withoutHeaders: valueMatches(match['withoutHeaders'], `${path}.withoutHeaders`, problems),
    sourceNamespace: text(match['sourceNamespace']) ?? '',
  }
  const asks =
    [more.method, more.scheme, more.authority].some((one) => one !== undefined) ||
    more.withoutHeaders.length > 0 ||
    more.sourceNamespace !== ''
  return {
    path: pathMatch(match, path, problems),
    method: method?.kind === 'exact' ? method.value : '',
    headers: valueMatches(match['headers'], `${path}.headers`, problems),
    query: valueMatches(match['queryParams'], `${path}.queryParams`, problems),
    more: asks ? more : undefined,
  }
}

function pathMatch(match: Json, path: string, problems: string[]): PathMatch | undefined {
  const found = textMatch(match['uri'], `${path}.uri`, problems)
  if (found === undefined) return undefined
  if (found.kind === 'regex') return { kind: 'regex', value: found.value }
  const kind = found.kind === 'prefix' ? 'text-prefix' : 'exact'
  return match['ignoreUriCase'] === true
    ? { kind, value: found.value, ignoresCase: true }
    : { kind, value: found.value }
}

const KINDS = ['exact', 'prefix', 'regex'] as const

/** Istio's StringMatch. One without a kind says nothing of the value. */
export function textMatch(value: unknown, at: string, problems: string[]): TextMatch | undefined {
  if (value === undefined || value === null) return undefined
  const entries = isRecord(value) ? Object.entries(value) : []
  const [[word, wanted] = ['', undefined], ...others] = entries
  const kind = KINDS.find((known) => known === word)
  if (kind === undefined || typeof wanted !== 'string' || others.length > 0) {
    if (!isRecord(value) || entries.length > 0) problems.push(`${at}: wants one of exact, prefix and regex`)
    return undefined
  }
  return { kind, value: wanted }
}

function valueMatches(value: unknown, at: string, problems: string[]): readonly ValueMatch[] {
  return Object.entries(record(value)).flatMap(([name, wanted]): readonly ValueMatch[] => {
    if (name.startsWith(CLAIMS)) {
      problems.push(`${at}[${name}]: claims of tokens are not looked at`)
      return []
    }
    const before = problems.length
    const match = textMatch(wanted, `${at}[${name}]`, problems)
    if (problems.length > before) return []
    // The name alone, or a regular expression that is none but a sign: it has to be there.
    if (match === undefined || (match.kind === 'regex' && match.value === '*'))
      return [{ name, kind: 'present', value: '' }]
    return [{ name, ...match }]
  })
}
