import type { KubeObject } from '@ambit/kube'
import type { IstioGateway, IstioServer, ServerHost, ServerTls } from '../ingress.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { isRecord, type Json, list, portNumber, record, stringMap, text, texts } from './json.ts'

export function decodeIstioGateway(object: KubeObject): IstioGateway {
  const meta = decodeMeta(object)
  const spec = specOf(object)
  return {
    ...meta,
    selector: stringMap(spec['selector']),
    servers: list(spec['servers']).flatMap((entry) => {
      const server = decodeServer(record(entry), meta.namespace)
      return server === undefined ? [] : [server]
    }),
  }
}

function decodeServer(server: Json, namespace: string): IstioServer | undefined {
  const declared = record(server['port'])
  const port = portNumber(declared['number'])
  if (port === undefined) return undefined
  return {
    name: text(server['name']) || (text(declared['name']) ?? ''),
    port,
    protocol: (text(declared['protocol']) ?? '').toUpperCase(),
    hosts: texts(server['hosts']).map((host) => decodeHost(host, namespace)),
    tls: isRecord(server['tls']) ? decodeTls(server['tls']) : undefined,
  }
}

/** `host`, `namespace/host`, `./host`, `*` + `/host`. */
function decodeHost(spelled: string, namespace: string): ServerHost {
  const slash = spelled.indexOf('/')
  const host = spelled.slice(slash + 1).toLowerCase()
  if (slash < 0) return { namespace: '*', host }
  const place = spelled.slice(0, slash)
  return { namespace: place === '.' ? namespace : place, host }
}

function decodeTls(tls: Json): ServerTls {
  const one = text(tls['credentialName'])
  const several = texts(tls['credentialNames'])
  return {
    mode: text(tls['mode']) ?? 'PASSTHROUGH',
    httpsRedirect: tls['httpsRedirect'] === true,
    credentialNames: several.length > 0 ? several : one ? [one] : [],
    caCredentialName: text(tls['caCertCredentialName']) ?? '',
    subjectAltNames: texts(tls['subjectAltNames']),
    minVersion: text(tls['minProtocolVersion']) ?? '',
    maxVersion: text(tls['maxProtocolVersion']) ?? '',
  }
}
