import type { IncludeObject } from '../tables/table.ts'

export type Representation =
  | { readonly kind: 'object'; readonly yaml: boolean }
  | { readonly kind: 'table' }
  | { readonly kind: 'metadata' }

/** The first media type of Accept that can be answered; JSON when none can. */
export function negotiate(accept: string | undefined): Representation {
  for (const item of (accept ?? '').split(',')) {
    const [media = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase())
    const has = (parameter: string): boolean => parameters.includes(parameter)
    if (media === 'application/json' || media === '*/*' || media === 'application/*' || media === '') {
      if (has('as=table') && (has('v=v1') || has('v=v1beta1'))) return { kind: 'table' }
      if (has('as=partialobjectmetadatalist') || has('as=partialobjectmetadata')) return { kind: 'metadata' }
      if (!parameters.some((parameter) => parameter.startsWith('as='))) return { kind: 'object', yaml: false }
    }
    if (media === 'application/yaml' && parameters.length === 0) return { kind: 'object', yaml: true }
  }
  return { kind: 'object', yaml: false }
}

/** Whether aggregated discovery is asked for, and in which version. */
export function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const item of (accept ?? '').split(',')) {
    if (!item.includes('as=APIGroupDiscoveryList') || !item.includes('g=apidiscovery.k8s.io')) continue
    const version = /v=(v2beta1|v2)(?:;|$)/.exec(item.replaceAll(' ', ''))?.[1]
    if (version !== undefined && item.trim().startsWith('application/json')) return version
  }
  return undefined
}

/** includeObject of a Table request. */
export function includeOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject')
  return value === 'None' || value === 'Object' ? value : 'Metadata'
}
