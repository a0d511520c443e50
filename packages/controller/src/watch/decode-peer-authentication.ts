import { parsePort } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import type { MtlsMode, PeerAuthentication } from '../domain.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { isRecord, record, type StringMap, stringMap } from './json.ts'

export function decodePeerAuthentication(object: KubeObject): PeerAuthentication {
  const spec = specOf(object)
  const ports = Object.entries(record(spec['portLevelMtls'])).flatMap(([key, value]) => {
    const port = parsePort(key)
    return port === undefined ? [] : [[port, modeOf(value)] as const]
  })
  return {
    ...decodeMeta(object),
    selector: decodeSelector(spec['selector']),
    mode: modeOf(spec['mtls']),
    portModes: new Map(ports.sort(([a], [b]) => a - b)),
  }
}

/** A selector without labels selects everything: the same as none. */
export function decodeSelector(selector: unknown): StringMap | undefined {
  if (!isRecord(selector)) return undefined
  const labels = stringMap(selector['matchLabels'])
  return Object.keys(labels).length === 0 ? undefined : labels
}

/** A mode nobody here knows counts as STRICT: it must not open what its author meant to close. */
function modeOf(mtls: unknown): MtlsMode {
  const mode = record(mtls)['mode']
  if (mode === undefined || mode === null || mode === 'UNSET') return 'UNSET'
  return mode === 'DISABLE' || mode === 'PERMISSIVE' ? mode : 'STRICT'
}
