import { isIP } from 'node:net'
import type { DeclaredNamespace, DeclaredPort, DeclaredService, DeclaredWorkload } from '../policy-test.types.ts'
import { isMapping, type Path, type Reader, spell } from './reader.ts'
import { readFullName } from './refs.ts'

/** A name alone, or with labels. */
export function readNamespace(reader: Reader, value: unknown, path: Path): DeclaredNamespace | undefined {
  const fields = isMapping(value)
    ? reader.fields(value, path, 'a namespace', ['name', 'labels'])
    : { name: value, labels: undefined }
  if (fields === undefined) return undefined
  const name = reader.text(fields['name'], isMapping(value) ? [...path, 'name'] : path, 'name of a namespace')
  if (name === undefined) return undefined
  const labels = fields['labels'] === undefined ? {} : reader.texts(fields['labels'], [...path, 'labels'], 'labels')
  return { name, labels: labels ?? {}, at: reader.positionOf(path) }
}

const WORKLOAD_FIELDS = ['name', 'serviceAccount', 'labels', 'ip', 'ports', 'mesh'] as const

/** `namespace/name`, or a mapping. What is not said is what is usual: an account of its name, the label `app`. */
export function readWorkload(reader: Reader, value: unknown, path: Path): DeclaredWorkload | undefined {
  const fields = isMapping(value) ? reader.fields(value, path, 'a workload', WORKLOAD_FIELDS) : { name: value }
  if (fields === undefined) return undefined
  const name = readFullName(reader, fields['name'], isMapping(value) ? [...path, 'name'] : path, 'name of a workload')
  const given = reader.optionalText(fields['serviceAccount'], [...path, 'serviceAccount'], 'serviceAccount')
  const labels =
    fields['labels'] === undefined ? undefined : reader.texts(fields['labels'], [...path, 'labels'], 'labels')
  const ip = reader.optionalText(fields['ip'], [...path, 'ip'], 'ip')
  if (ip !== undefined && isIP(ip) === 0) reader.fail([...path, 'ip'], `ip is an address, not ${spell(ip)}`)
  const ports = reader
    .list(fields['ports'], [...path, 'ports'], 'ports')
    .flatMap((port, i) => reader.port(port, [...path, 'ports', i], 'port') ?? [])
  const inMesh = reader.boolean(fields['mesh'], [...path, 'mesh'], 'mesh', true)
  if (name === undefined) return undefined
  const own = { serviceAccount: given ?? name.name, labels: { app: name.name, ...labels } }
  return { ...name, ...own, ip, ports, inMesh, at: reader.positionOf(path) }
}

/** A mapping of name and ports; without a selector it selects workloads of its name by the label `app`. */
export function readService(reader: Reader, value: unknown, path: Path): DeclaredService | undefined {
  const fields = reader.fields(value, path, 'a service', ['name', 'ports', 'selector', 'labels'])
  if (fields === undefined) return undefined
  const name = readFullName(reader, fields['name'], [...path, 'name'], 'name of a service')
  const written = reader.list(fields['ports'], [...path, 'ports'], 'ports')
  if (written.length === 0) reader.fail([...path, 'ports'], 'a service has at least one port')
  const ports = written.flatMap((port, i) => readServicePort(reader, port, [...path, 'ports', i]) ?? [])
  const textsOf = (field: 'selector' | 'labels'): Readonly<Record<string, string>> | undefined =>
    fields[field] === undefined ? undefined : reader.texts(fields[field], [...path, field], field)
  const selector = textsOf('selector')
  const labels = textsOf('labels')
  if (name === undefined) return undefined
  return { ...name, ports, selector: selector ?? { app: name.name }, labels: labels ?? {}, at: reader.positionOf(path) }
}

function readServicePort(reader: Reader, value: unknown, path: Path): DeclaredPort | undefined {
  if (!isMapping(value)) {
    const port = reader.port(value, path, 'port')
    return port === undefined ? undefined : { name: undefined, port, targetPort: port, appProtocol: undefined }
  }
  const fields = reader.fields(value, path, 'a port', ['name', 'port', 'targetPort', 'appProtocol'])
  if (fields === undefined) return undefined
  const name = reader.optionalText(fields['name'], [...path, 'name'], 'name of a port')
  const appProtocol = reader.optionalText(fields['appProtocol'], [...path, 'appProtocol'], 'appProtocol')
  const port = reader.port(fields['port'], [...path, 'port'], 'port')
  const target =
    fields['targetPort'] === undefined ? port : reader.port(fields['targetPort'], [...path, 'targetPort'], 'targetPort')
  return port === undefined || target === undefined ? undefined : { name, port, targetPort: target, appProtocol }
}
