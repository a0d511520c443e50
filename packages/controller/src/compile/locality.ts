import type { Locality } from '../domain.types.ts'
import type { StringMap } from '../watch/json.ts'

export const NO_LOCALITY: Locality = { region: '', zone: '', subzone: '' }

/** `region/zone/subzone`; with no slash at all, dots separate (label values cannot hold slashes). */
export function parseLocality(text: string): Locality {
  const [region = '', zone = '', subzone = ''] = text.split(text.includes('/') ? '/' : '.')
  return { region, zone, subzone }
}

/** Locality written on the object itself, if any. */
export function labelledLocality(labels: StringMap): Locality | undefined {
  const text = labels['topology.istio.io/locality'] || labels['istio-locality']
  return text ? parseLocality(text) : undefined
}
