import { list, number, record, text, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf, namespaceOf, type Sourced, specOf } from '../source.types.ts'

export const serviceEntryProtocols: Analyzer = {
  name: 'serviceentry.ConflictingServiceEntryProtocolAnalyzer',
  summary: 'Whether several ServiceEntries disagree on what is spoken at a host’s port',
  codes: ['IST0177'],
  *analyze(snapshot) {
    const entries = snapshot.of('networking.istio.io/ServiceEntry')
    for (const about of entries) {
      const conflict = portsOf(about)
        .map((one) => ({ one, rivals: entries.filter((other) => other !== about && disagrees(about, one, other)) }))
        .find(({ rivals }) => rivals.length > 0)
      if (conflict === undefined) continue
      const { host, port } = conflict.one
      const all = [about, ...conflict.rivals]
      const protocols = all.flatMap((entry) =>
        portsOf(entry)
          .filter((one) => one.host === host && one.port === port)
          .map(({ protocol }) => protocol),
      )
      const message = `The ServiceEntries ${all.map(fullNameOf).toSorted().join(', ')} disagree on what is spoken at ${host}:${port}: ${[...new Set(protocols)].toSorted().join(', ')}.`
      yield { code: 'IST0177', about, path: ['metadata', 'name'], message }
    }
  },
}

interface HostPort {
  readonly host: string
  readonly port: number
  readonly protocol: string
}

function portsOf(entry: Sourced): readonly HostPort[] {
  const { hosts, ports } = specOf(entry)
  return texts(hosts).flatMap((host) =>
    list(ports).map((port) => ({
      host,
      port: number(record(port)['number']) ?? 0,
      protocol: text(record(port)['protocol']).toUpperCase(),
    })),
  )
}

function disagrees(about: Sourced, { host, port, protocol }: HostPort, other: Sourced): boolean {
  const seenTogether = scopesOf(about).some(
    (scope) => scope === '*' || scopesOf(other).some((one) => one === '*' || one === scope),
  )
  return (
    seenTogether && portsOf(other).some((one) => one.host === host && one.port === port && one.protocol !== protocol)
  )
}

function scopesOf(entry: Sourced): readonly string[] {
  const written = texts(specOf(entry)['exportTo'])
  return written.length === 0 ? ['*'] : written.map((scope) => (scope === '.' ? namespaceOf(entry) : scope))
}
