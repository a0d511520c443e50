/** One hostname to try for a query. */
export interface Candidate {
  /** Hostname of a service to look for; may begin with `*.`. */
  readonly hostname: string
  /** The queried name without its search domain, when it was taken off. */
  readonly stripped: string | undefined
  readonly wildcard: boolean
}

export interface SearchPath {
  readonly namespace: string
  readonly clusterDomain: string
  readonly searchDomains: readonly string[]
}

/** What a pod in this namespace has as `search` in its resolv.conf. */
export function podSearchDomains(namespace: string, clusterDomain: string): readonly string[] {
  return [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
}

/** Hostnames that a query may mean, best first. The query is lower case, without the final dot. */
export function* candidatesFor(query: string, path: SearchPath): Generator<Candidate> {
  yield* withWildcards(query, undefined)
  for (const expanded of expansions(query, path)) yield* withWildcards(expanded, undefined)
  for (const domain of path.searchDomains) {
    if (!query.endsWith(`.${domain}`)) continue
    const stripped = query.slice(0, -domain.length - 1)
    yield* withWildcards(stripped, stripped)
    for (const expanded of expansions(stripped, path)) yield* withWildcards(expanded, stripped)
  }
}

/** Kubernetes short forms: `a`, `a.ns`, `a.ns.svc`. */
function expansions(name: string, { namespace, clusterDomain }: SearchPath): readonly string[] {
  const labels = name.split('.')
  const endsWithSvc = labels.at(-1) === 'svc'
  switch (labels.length) {
    case 1:
      return [`${name}.${namespace}.svc.${clusterDomain}`]
    case 2:
      return [`${name}.svc.${clusterDomain}`, `${name}.${namespace}.svc.${clusterDomain}`]
    case 3:
      return [...(endsWithSvc ? [`${name}.${clusterDomain}`] : []), `${name}.svc.${clusterDomain}`]
    case 4:
      return endsWithSvc ? [`${name}.${clusterDomain}`] : []
    default:
      return []
  }
}

function* withWildcards(name: string, stripped: string | undefined): Generator<Candidate> {
  yield { hostname: name, stripped, wildcard: false }
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    yield { hostname: `*${name.slice(dot)}`, stripped, wildcard: true }
  }
}
