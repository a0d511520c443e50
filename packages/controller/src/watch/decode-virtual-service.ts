import type { KubeObject } from '@ambit/kube'
import { completeHost, exportedTo } from '../compile/host-name.ts'
import { MESH_GATEWAY, type TcpRule, type VirtualRule, type VirtualService } from '../virtual-service.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { backendsOf, decodeVirtualEffects, type RuleReader } from './decode-virtual-effects.ts'
import { decodeVirtualMatch } from './decode-virtual-match.ts'
import { gatewayNames } from './decode-virtual-service-names.ts'
import { isRecord, type Json, list, portNumber, record, text, texts } from './json.ts'

const RULE_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'match',
  'route',
  'redirect',
  'directResponse',
  'delegate',
  'rewrite',
  'timeout',
  'retries',
  'fault',
  'mirror',
  'mirrors',
  'mirrorPercent',
  'mirrorPercentage',
  'corsPolicy',
  'headers',
])

/**
 * Reads a VirtualService. What is not understood stays as a problem of its rule, which is then answered 500: a rule that vanishes would
 * leave its requests to a wider one.
 */
export function decodeVirtualService(object: KubeObject, domain: string): VirtualService {
  const spec = specOf(object)
  const meta = decodeMeta(object)
  const { namespace } = meta
  const notes: string[] = []
  const readerOf = (): RuleReader => ({ namespace, domain, problems: [], notes })
  const gateways = gatewayNames(spec['gateways'], namespace)
  return {
    ...meta,
    hosts: texts(spec['hosts']).map((host) => completeHost(host, namespace, domain)),
    gateways: gateways.length === 0 ? [MESH_GATEWAY] : gateways,
    exportTo: exportedTo(texts(spec['exportTo']), namespace),
    http: list(spec['http']).map((rule, i) => decodeRule(rule, `http[${i}]`, readerOf())),
    tcp: [
      ...list(spec['tls']).flatMap((rule, i) => decodeTcpRule(rule, `tls[${i}]`, TLS_MATCH_FIELDS, readerOf())),
      ...list(spec['tcp']).flatMap((rule, i) => decodeTcpRule(rule, `tcp[${i}]`, TCP_MATCH_FIELDS, readerOf())),
    ],
    notes,
  }
}

function decodeRule(value: unknown, path: string, reader: RuleReader): VirtualRule {
  const rule = record(value)
  const { problems, namespace } = reader
  if (!isRecord(value)) problems.push(`${path}: no rule`)
  for (const key of Object.keys(rule)) if (!RULE_FIELDS.has(key)) problems.push(`${path}.${key}: not understood`)
  const delegate = record(rule['delegate'])
  const name = text(delegate['name']) ?? ''
  return {
    name: text(rule['name']) ?? '',
    matches: list(rule['match']).map((match, i) => decodeVirtualMatch(match, `${path}.match[${i}]`, reader)),
    effects: decodeVirtualEffects(rule, path, reader),
    delegate: name === '' ? undefined : `${text(delegate['namespace']) || namespace}/${name}`,
  }
}

const TCP_MATCH_FIELDS: ReadonlySet<string> = new Set(['port', 'gateways'])
const TLS_MATCH_FIELDS: ReadonlySet<string> = new Set(['port', 'gateways', 'sniHosts'])

/** A match that asks for more than can be told is left out. */
function decodeTcpRule(
  value: unknown,
  path: string,
  fields: ReadonlySet<string>,
  reader: RuleReader,
): readonly TcpRule[] {
  const rule = record(value)
  const written = list(rule['match']).map(record)
  const known = written.filter((match, i) => {
    const stranger = Object.keys(match).find((key) => !fields.has(key))
    if (stranger !== undefined)
      reader.notes.push(`${path}.match[${i}].${stranger}: not looked at, the match is left out`)
    return stranger === undefined
  })
  const matches = known.map((match) => matchOf(match, reader.namespace))
  const everything = { port: undefined, gateways: [], sniHosts: undefined }
  if (written.length > 0 && known.length === 0) return []
  return [
    {
      matches: written.length === 0 ? [everything] : matches,
      backends: backendsOf(rule['route'], `${path}.route`, reader),
    },
  ]
}

function matchOf(match: Json, namespace: string): TcpRule['matches'][number] {
  return {
    port: portNumber(match['port']),
    gateways: gatewayNames(match['gateways'], namespace),
    sniHosts: match['sniHosts'] === undefined ? undefined : texts(match['sniHosts']),
  }
}
