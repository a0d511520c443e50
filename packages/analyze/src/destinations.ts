import { list, number, type Path, record, text } from './field.ts'
import { type Sourced, specOf } from './source.types.ts'

/** A place a VirtualService sends something to. */
export interface Destination {
  readonly path: Path
  readonly host: string
  readonly subset: string
  readonly port: number | undefined
  readonly mirror: boolean
  /** Index of the rule in its list. */
  readonly rule: number
  readonly protocol: 'http' | 'tls' | 'tcp'
}

export function destinationsOf(service: Sourced): readonly Destination[] {
  const spec = specOf(service)
  return (['http', 'tls', 'tcp'] as const).flatMap((protocol) =>
    list(spec[protocol]).flatMap((value, rule) => {
      const written = record(value)
      const at: Path = ['spec', protocol, rule]
      const one = (destination: unknown, path: Path, mirror: boolean): readonly Destination[] => {
        const { host, subset, port } = record(destination)
        if (text(host) === '') return []
        return [
          {
            path,
            host: text(host),
            subset: text(subset),
            port: number(record(port)['number']),
            mirror,
            rule,
            protocol,
          },
        ]
      }
      return [
        ...list(written['route']).flatMap((route, i) =>
          one(record(route)['destination'], [...at, 'route', i, 'destination', 'host'], false),
        ),
        ...one(written['mirror'], [...at, 'mirror', 'host'], true),
        ...list(written['mirrors']).flatMap((mirror, i) =>
          one(record(mirror)['destination'], [...at, 'mirrors', i, 'destination', 'host'], true),
        ),
      ]
    }),
  )
}
