import { validateObject } from '@ambit/controller/judgement'
import type { Path } from '../field.ts'
import type { Analyzer } from '../message.types.ts'

/** Kinds that the control plane's webhook looks at. */
const KINDS = [
  'networking.istio.io/VirtualService',
  'networking.istio.io/DestinationRule',
  'networking.istio.io/Gateway',
  'networking.istio.io/ServiceEntry',
  'networking.istio.io/WorkloadEntry',
  'security.istio.io/AuthorizationPolicy',
  'security.istio.io/PeerAuthentication',
  'security.istio.io/RequestAuthentication',
  'telemetry.istio.io/Telemetry',
] as const

export const validation: Analyzer = {
  name: 'schema.ValidationAnalyzer',
  summary: 'What the validation webhook refuses, or warns of',
  codes: ['IST0106', 'IST0133'],
  *analyze(snapshot) {
    for (const kind of KINDS)
      for (const about of snapshot.of(kind)) {
        const { errors, warnings } = validateObject({ ...about.object })
        for (const error of errors)
          yield { code: 'IST0106', about, path: pathIn(error), message: `Schema validation error: ${error}` }
        for (const warning of warnings)
          yield { code: 'IST0133', about, path: pathIn(warning), message: `Schema validation warning: ${warning}` }
      }
  },
}

/** The field that a problem begins with: `spec.http[0].route: …`. */
function pathIn(problem: string): Path {
  const [written = ''] = /^[\w.[\]-]+/.exec(problem) ?? []
  return [...written.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? '') : Number(index),
  )
}
