import { list, record, texts } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { specOf } from '../source.types.ts'

export const policyNamespaces: Analyzer = {
  name: 'auth.AuthorizationPoliciesAnalyzer',
  summary: 'Whether the namespaces that an AuthorizationPolicy names are there',
  codes: ['IST0101'],
  *analyze(snapshot) {
    if (!snapshot.knows('core/Namespace')) return
    const names = snapshot.of('core/Namespace').map(({ object }) => object.metadata.name)
    for (const about of snapshot.of('security.istio.io/AuthorizationPolicy'))
      for (const [i, rule] of list(specOf(about)['rules']).entries())
        for (const [j, from] of list(record(rule)['from']).entries())
          for (const field of ['namespaces', 'notNamespaces'])
            for (const [k, written] of texts(record(record(from)['source'])[field]).entries()) {
              if (names.some((name) => fits(written, name))) continue
              const path = ['spec', 'rules', i, 'from', j, 'source', field, k]
              yield {
                code: 'IST0101',
                about,
                path,
                message: `Referenced namespace not found: ${JSON.stringify(written)}`,
              }
            }
  },
}

/** Exact, `x*`, `*x` or `*`, as proxies compare. */
function fits(pattern: string, name: string): boolean {
  if (pattern === '*') return true
  if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1))
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
