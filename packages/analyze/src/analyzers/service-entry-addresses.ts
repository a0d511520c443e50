import { decodeServiceEntry, hostsToAllocate } from '@ambit/controller/judgement'
import { list, record, text } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import { specOf } from '../source.types.ts'

export const serviceEntryAddresses: Analyzer = {
  name: 'serviceentry.Analyzer',
  summary: 'Whether a ServiceEntry for TCP has an address that clients can connect to',
  codes: ['IST0134'],
  *analyze(snapshot) {
    for (const about of snapshot.of('networking.istio.io/ServiceEntry')) {
      const entry = decodeServiceEntry(about.object)
      const willHave = entry.addresses.length > 0 || entry.allocated.length > 0 || hostsToAllocate(entry).length > 0
      // Without resolution, clients connect to whatever address they know.
      if (willHave || entry.resolution === 'NONE') continue
      for (const [i, port] of list(specOf(about)['ports']).entries()) {
        const protocol = text(record(port)['protocol']).toUpperCase()
        if (protocol !== '' && protocol !== 'TCP') continue
        const message = 'The ServiceEntry has no addresses and gets none: connections of TCP can’t be told from others.'
        yield { code: 'IST0134', about, path: ['spec', 'ports', i], message }
      }
    }
  },
}
