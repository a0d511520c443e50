import { isIP } from 'node:net'
import { parseSpiffeId } from '@ambit/core'
import type { ClientSpec, FullName, PortSpec, TargetSpec, Written } from '../policy-test.types.ts'
import { isMapping, type Path, type Reader, spell } from './reader.ts'

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/
const NAME = /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/
const HOST = /^(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/
const OUTSIDE = 'outside'

/** `namespace/name`. */
export function readFullName(reader: Reader, value: unknown, path: Path, what: string): FullName | undefined {
  const text = reader.text(value, path, what)
  if (text === undefined) return undefined
  return parseFullName(text) ?? reader.fail(path, `${what} is NAMESPACE/NAME, not ${spell(text)}`)
}

export function parseFullName(text: string): FullName | undefined {
  const [namespace = '', name = '', ...rest] = text.split('/')
  return rest.length === 0 && LABEL.test(namespace) && NAME.test(name) ? { namespace, name } : undefined
}

/** Who asks. */
export function readClient(reader: Reader, value: unknown, path: Path): Written<ClientSpec> | undefined {
  const at = reader.positionOf(path)
  if (!isMapping(value)) {
    const text = reader.text(value, path, 'from')
    if (text === undefined) return undefined
    const client = parseClient(text)
    if (client !== undefined) return { value: client, text, at }
    const ways = 'NAMESPACE/NAME of an account or a workload, outside, or spiffe://…'
    return reader.fail(path, `${spell(text)} is no client; write ${ways}`)
  }
  const fields = reader.fields(value, path, 'from', ['serviceAccount', 'pod', 'outside'])
  const kind = oneKindOf(reader, fields, path, 'from', ['serviceAccount', 'pod', 'outside'])
  if (fields === undefined || kind === undefined) return undefined
  const written = fields[kind]
  if (kind === 'outside') {
    const ip = reader.text(written, [...path, kind], 'outside')
    if (ip === undefined) return undefined
    if (isIP(ip) === 0) return reader.fail([...path, kind], `outside is an address, not ${spell(ip)}`)
    return { value: { kind: 'outside', ip }, text: `outside ${ip}`, at }
  }
  const name = readFullName(reader, written, [...path, kind], kind)
  if (name === undefined) return undefined
  const text = `${kind === 'pod' ? 'pod' : 'account'} ${name.namespace}/${name.name}`
  return { value: { kind: kind === 'pod' ? 'pod' : 'account', ...name }, text, at }
}

function parseClient(text: string): ClientSpec | undefined {
  if (text === OUTSIDE) return { kind: 'outside', ip: undefined }
  if (text.startsWith('spiffe://')) return parseIdentity(text)
  const name = parseFullName(text)
  return name && { kind: 'name', ...name }
}

function parseIdentity(identity: string): ClientSpec | undefined {
  return parseSpiffeId(identity) === undefined ? undefined : { kind: 'identity', identity }
}

/** Whom it asks. */
export function readTarget(reader: Reader, value: unknown, path: Path): Written<TargetSpec> | undefined {
  const at = reader.positionOf(path)
  if (!isMapping(value)) {
    const text = reader.text(value, path, 'to')
    if (text === undefined) return undefined
    const target = parseTarget(text)
    if (target !== undefined) return { value: target, text, at }
    const ways = 'NAMESPACE/NAME[:PORT] of a service or a workload, or HOST[:PORT]'
    return reader.fail(path, `${spell(text)} is no destination; write ${ways}`)
  }
  const fields = reader.fields(value, path, 'to', ['service', 'pod', 'host', 'port'])
  const kind = oneKindOf(reader, fields, path, 'to', ['service', 'pod', 'host'])
  if (fields === undefined || kind === undefined) return undefined
  const port = readPort(reader, fields['port'], [...path, 'port'], kind)
  const suffix = port === undefined ? '' : `:${port}`
  if (kind === 'host') {
    const host = reader.text(fields['host'], [...path, 'host'], 'host')
    if (host === undefined) return undefined
    if (!isHost(host)) return reader.fail([...path, 'host'], `host is a name or an address, not ${spell(host)}`)
    if (typeof port === 'string') return undefined
    return { value: { kind: 'host', host, port }, text: `${isIP(host) === 6 ? `[${host}]` : host}${suffix}`, at }
  }
  const name = readFullName(reader, fields[kind], [...path, kind], kind)
  if (name === undefined) return undefined
  return { value: { kind, ...name, port }, text: `${kind} ${name.namespace}/${name.name}${suffix}`, at }
}

/** Ports of services have names. */
function readPort(reader: Reader, value: unknown, path: Path, of: 'service' | 'pod' | 'host'): PortSpec | undefined {
  if (value === undefined) return undefined
  if (of === 'service' && typeof value === 'string' && LABEL.test(value) && !/^\d+$/.test(value)) return value
  return reader.port(value, path, 'port')
}

function parseTarget(text: string): TargetSpec | undefined {
  if (isIP(text) !== 0) return { kind: 'host', host: text, port: undefined }
  const [, before = '', after] = /^(.*?)(?::([^:\]]+))?$/.exec(text) ?? []
  const port = after === undefined ? undefined : parsePort(after)
  if (after !== undefined && port === undefined) return undefined
  const name = parseFullName(before)
  if (name !== undefined) return { kind: 'name', ...name, port }
  const host = /^\[.*\]$/.test(before) ? before.slice(1, -1) : before
  if (!isHost(host) || typeof port === 'string' || (host !== before && isIP(host) !== 6)) return undefined
  return { kind: 'host', host, port }
}

function parsePort(text: string): PortSpec | undefined {
  if (!/^\d+$/.test(text)) return LABEL.test(text) ? text : undefined
  const port = Number(text)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** Longest name there is: RFC 1035, 3.1. */
const MAX_HOST_CHARS = 253

function isHost(text: string): boolean {
  return text.length <= MAX_HOST_CHARS && (isIP(text) !== 0 || HOST.test(text))
}

function oneKindOf<K extends string>(
  reader: Reader,
  fields: object | undefined,
  path: Path,
  what: string,
  kinds: readonly K[],
): K | undefined {
  if (fields === undefined) return undefined
  const given = kinds.filter((kind) => (fields as Record<string, unknown>)[kind] !== undefined)
  const [kind, another] = given
  if (kind !== undefined && another === undefined) return kind
  const ways = kinds.join(', ')
  if (kind === undefined) return reader.fail(path, `${what} names nothing: it has one of ${ways}`)
  return reader.fail(path, `${what} has one of ${ways}, not ${given.join(' and ')}`)
}
