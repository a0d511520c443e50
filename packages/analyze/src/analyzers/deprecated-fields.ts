import { at, list, type Path, record, text } from '../field.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import { type Sourced, specOf } from '../source.types.ts'

/** Below one rule of `http`: a field that has a successor. */
const FIELDS: readonly { readonly path: Path; readonly instead: string }[] = [
  { path: ['fault', 'delay', 'percent'], instead: 'fault.delay.percentage' },
  { path: ['fault', 'abort', 'percent'], instead: 'fault.abort.percentage' },
  { path: ['mirrorPercent'], instead: 'mirrorPercentage' },
  { path: ['mirror_percent'], instead: 'mirrorPercentage' },
  { path: ['corsPolicy', 'allowOrigin'], instead: 'corsPolicy.allowOrigins' },
]

export const deprecatedFields: Analyzer = {
  name: 'deprecation.DeprecationAnalyzer',
  summary: 'Whether fields and kinds are in use that have a successor',
  codes: ['IST0002'],
  *analyze(snapshot) {
    for (const service of snapshot.of('networking.istio.io/VirtualService')) yield* fieldsOf(service)
    for (const about of snapshot.of('apiextensions.k8s.io/CustomResourceDefinition')) {
      const { group, names } = specOf(about)
      if (group !== 'rbac.istio.io') continue
      const kind = text(record(names)['kind'])
      yield {
        code: 'IST0002',
        about,
        message: `Deprecated: ${kind} of rbac.istio.io, which AuthorizationPolicy took the place of`,
      }
    }
  },
}

function* fieldsOf(about: Sourced): Iterable<Finding> {
  for (const [i, rule] of list(specOf(about)['http']).entries())
    for (const { path, instead } of FIELDS) {
      if (at(rule, path) === undefined) continue
      const message = `Deprecated: http[${i}].${path.join('.')}, use ${instead}`
      yield { code: 'IST0002', about, path: ['spec', 'http', i, ...path], message }
    }
}
