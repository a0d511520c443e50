import { at, list, record, text } from '../field.ts'
import { MAX_NAMES_IN_MESSAGE } from '../limits.ts'
import type { Analyzer } from '../message.types.ts'
import { fullNameOf } from '../source.types.ts'

const VARIABLE = 'BLOCKED_CIDRS_IN_JWKS_URIS'

export const jwksNetworks: Analyzer = {
  name: 'authn.BlockedCIDRsAnalyzer',
  summary: 'Whether the control plane is kept from fetching keys from anywhere',
  codes: ['IST0175'],
  *analyze(snapshot) {
    const names = snapshot.of('security.istio.io/RequestAuthentication').map(fullNameOf).toSorted()
    if (names.length === 0) return
    for (const about of snapshot.of('apps/Deployment')) {
      const { labels = {} } = about.object.metadata
      if (labels['app'] !== 'istiod') continue
      const containers = list(at(about.object, ['spec', 'template', 'spec', 'containers']))
      const isSet = containers.some((container) =>
        list(record(container)['env']).some((entry) => {
          const { name, value } = record(entry)
          return name === VARIABLE && text(value) !== ''
        }),
      )
      if (isSet) continue
      const shown = names.slice(0, MAX_NAMES_IN_MESSAGE).join(', ')
      const more = names.length > MAX_NAMES_IN_MESSAGE ? ` and ${names.length - MAX_NAMES_IN_MESSAGE} more` : ''
      const message = `${VARIABLE} is not set, and there are RequestAuthentications (${shown}${more}): their jwksUri may lead anywhere the control plane can reach.`
      yield { code: 'IST0175', about, message }
    }
  },
}
