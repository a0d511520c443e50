import type { waypointpb as pb } from '@ambit/api'
import { MAX_PORT } from '@ambit/core'
import { enumWord } from '../decode-enum.ts'
import { reject } from '../rejection.ts'
import { decodeRoutes } from './decode-routes.ts'
import { decodeHostPattern } from './host-pattern.ts'
import type { Listener, TlsTermination, TlsVersion, VirtualHost } from './listener.types.ts'

const CLIENT_CERTIFICATES = { 0: 'none', 1: 'optional', 2: 'required' } as const
const VERSIONS: Readonly<Record<number, TlsVersion | 'default'>> = { 0: 'default', 1: 'TLSv1.2', 2: 'TLSv1.3' }

/** Reads the listeners of a gateway, all or none: without one of them its hosts would be those of a wider one. */
export function decodeListeners(messages: readonly pb.Listener[]): readonly Listener[] {
  const names = new Set<string>()
  const secured = new Map<number, boolean>()
  return messages.map((message, index) => {
    const path = `settings.listeners[${index}]`
    const listener = listenerOf(message, path)
    if (names.has(listener.name)) reject('bad-match', `${path}.name: ${listener.name} stands there twice`)
    names.add(listener.name)
    const isSecured = listener.tls !== undefined
    if ((secured.get(listener.port) ?? isSecured) !== isSecured)
      reject('bad-port', `${path}.port: ${listener.port} has listeners with TLS and without`)
    secured.set(listener.port, isSecured)
    return listener
  })
}

function listenerOf({ name, port, hostnames, tls, virtualHosts, httpsRedirect }: pb.Listener, path: string): Listener {
  if (name === '') reject('empty', `${path}.name: required`)
  if (port === 0 || port > MAX_PORT) reject('bad-port', `${path}.port: ${port} is not a port`)
  return {
    name,
    port,
    hosts:
      hostnames.length === 0
        ? [{ kind: 'any' }]
        : hostnames.map((hostname, at) => decodeHostPattern(hostname, `${path}.hostnames[${at}]`)),
    tls: tls && tlsOf(tls, `${path}.tls`),
    virtualHosts: virtualHosts.map((host, at) => virtualHostOf(host, `${path}.virtual_hosts[${at}]`)),
    httpsRedirect,
  }
}

function virtualHostOf({ hostnames, routes }: pb.VirtualHost, path: string): VirtualHost {
  if (hostnames.length === 0) reject('empty', `${path}.hostnames: required`)
  return {
    hosts: hostnames.map((hostname, at) => decodeHostPattern(hostname, `${path}.hostnames[${at}]`)),
    routes: routes === undefined ? [] : decodeRoutes(routes, path),
  }
}

function tlsOf(message: pb.TlsTermination, path: string): TlsTermination {
  const { credentials, clientAuthorities, clientSubjectAltNames } = message
  if (credentials.length === 0 || credentials.includes('')) reject('empty', `${path}.credentials: required`)
  const clientCertificates = enumWord(`${path}.client_certificates`, message.clientCertificates, CLIENT_CERTIFICATES)
  if (clientCertificates !== 'none' && clientAuthorities.length === 0)
    reject('empty', `${path}.client_authorities: required for client_certificates`)
  if (clientCertificates === 'none' && clientAuthorities.length + clientSubjectAltNames.length > 0)
    reject('unsupported', `${path}: says whose certificates are good, and asks for none`)
  const min = enumWord(`${path}.min_version`, message.minVersion, VERSIONS)
  const max = enumWord(`${path}.max_version`, message.maxVersion, VERSIONS)
  if (min === 'TLSv1.3' && max === 'TLSv1.2') reject('unsupported', `${path}: no version is left`)
  return {
    credentials,
    clientCertificates,
    clientAuthorities,
    clientSubjectAltNames,
    minVersion: min === 'default' ? 'TLSv1.2' : min,
    maxVersion: max === 'default' ? 'TLSv1.3' : max,
  }
}
