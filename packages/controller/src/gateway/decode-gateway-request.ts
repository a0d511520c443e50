import type { KubeObject } from '@ambit/kube'
import { decodeMeta, specOf } from '../watch/decode-meta.ts'
import { isRecord, list, portNumber, record, stringMap, text } from '../watch/json.ts'
import type { GatewayAddress, GatewayRequest } from './gateway.types.ts'

export function decodeGatewayRequest(object: KubeObject): GatewayRequest {
  const { namespace, name, labels, annotations, generation } = decodeMeta(object)
  const spec = specOf(object)
  const infrastructure = record(spec['infrastructure'])
  const reference = infrastructure['parametersRef']
  const own = (field: string): Readonly<Record<string, string>> | undefined =>
    isRecord(infrastructure[field]) ? stringMap(infrastructure[field]) : undefined
  return {
    namespace,
    name,
    labels,
    annotations,
    generation,
    uid: object.metadata.uid ?? '',
    deleting: object.metadata.deletionTimestamp !== undefined,
    className: text(spec['gatewayClassName']) ?? '',
    listeners: list(spec['listeners']).map((entry) => {
      const listener = record(entry)
      return {
        name: text(listener['name']) ?? '',
        port: portNumber(listener['port']) ?? 0,
        protocol: text(listener['protocol']) ?? '',
      }
    }),
    addresses: decodeAddresses(spec['addresses']),
    infrastructure: { labels: own('labels'), annotations: own('annotations') },
    parametersRef: isRecord(reference)
      ? {
          group: text(reference['group']) ?? '',
          kind: text(reference['kind']) ?? '',
          name: text(reference['name']) ?? '',
        }
      : undefined,
  }
}

/** Addresses of a Gateway's spec or status. */
export function decodeAddresses(value: unknown): readonly GatewayAddress[] {
  return list(value).map((entry) => {
    const address = record(entry)
    return { type: text(address['type']), value: text(address['value']) ?? '' }
  })
}
