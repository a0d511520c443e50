import type { Pod, PodAffinityTerm, SelectorRequirement } from '../objects/pod.types.ts'
import { matchesSelector } from '../objects/selector.ts'
import type { NodeInfo } from './snapshot.ts'

export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined

/** Whether a term of one pod means another. */
export function termMeans(term: PodAffinityTerm, holder: Pod, other: Pod, namespaceLabels: NamespaceLabels): boolean {
  if (term.labelSelector === undefined) return false
  const namespace = other.metadata.namespace ?? ''
  const listed = term.namespaces ?? []
  const inNamespace =
    listed.length === 0 && term.namespaceSelector === undefined
      ? namespace === holder.metadata.namespace
      : listed.includes(namespace) ||
        (term.namespaceSelector !== undefined && matchesSelector(term.namespaceSelector, namespaceLabels(namespace)))
  if (!inNamespace || !matchesSelector(term.labelSelector, other.metadata.labels)) return false
  const further = [
    ...keyRequirements(term.matchLabelKeys, 'In', holder),
    ...keyRequirements(term.mismatchLabelKeys, 'NotIn', holder),
  ]
  return matchesSelector({ matchExpressions: further }, other.metadata.labels)
}

/** Requirements on labels by the values that the holder has of them. */
export function keyRequirements(
  keys: readonly string[] | undefined,
  operator: 'In' | 'NotIn',
  holder: Pod,
): readonly SelectorRequirement[] {
  return (keys ?? []).flatMap((key) => {
    const value = holder.metadata.labels?.[key]
    return value === undefined ? [] : [{ key, operator, values: [value] }]
  })
}

export function domainOf(info: NodeInfo, topologyKey: string): string | undefined {
  return info.node?.metadata.labels?.[topologyKey]
}

/** Decides for one pod and any node whether the pods already there are welcome company. */
export class PodAffinity {
  readonly #wanted: readonly { readonly key: string; readonly domains: ReadonlySet<string>; readonly free: boolean }[]
  readonly #unwanted: readonly { readonly key: string; readonly domains: ReadonlySet<string> }[]
  /** Domains, as `key\0value`, that pods there keep for themselves. */
  readonly #closed = new Set<string>()

  constructor(pod: Pod, nodes: readonly NodeInfo[], namespaceLabels: NamespaceLabels) {
    const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
    const domains = (term: PodAffinityTerm): ReadonlySet<string> => {
      const found = new Set<string>()
      for (const info of nodes) {
        const domain = domainOf(info, term.topologyKey)
        if (domain === undefined || found.has(domain)) continue
        for (const other of info.pods.values())
          if (termMeans(term, pod, other, namespaceLabels)) {
            found.add(domain)
            break
          }
      }
      return found
    }
    this.#wanted = (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => {
      const there = domains(term)
      // The first of a group that wants to be together may begin anywhere.
      return {
        key: term.topologyKey,
        domains: there,
        free: there.size === 0 && termMeans(term, pod, pod, namespaceLabels),
      }
    })
    this.#unwanted = (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => ({
      key: term.topologyKey,
      domains: domains(term),
    }))
    for (const info of nodes)
      for (const other of info.repellent.values())
        for (const term of other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
          const domain = domainOf(info, term.topologyKey)
          if (domain !== undefined && termMeans(term, other, pod, namespaceLabels))
            this.#closed.add(`${term.topologyKey}\0${domain}`)
        }
  }

  /** Why not that node, in kube-scheduler's words. */
  refusal(info: NodeInfo): string | undefined {
    const isIn = (key: string, domains: ReadonlySet<string>): boolean => domains.has(domainOf(info, key) ?? '\0')
    if (this.#wanted.some(({ domains, free, key }) => (free ? domainOf(info, key) === undefined : !isIn(key, domains))))
      return "node(s) didn't match pod affinity rules"
    if (this.#unwanted.some(({ domains, key }) => isIn(key, domains)))
      return "node(s) didn't match pod anti-affinity rules"
    for (const closed of this.#closed) {
      const [key = '', domain] = closed.split('\0')
      if (domainOf(info, key) === domain) return "node(s) didn't satisfy existing pods anti-affinity rules"
    }
    return undefined
  }
}

/** How much a pod would rather be on a node, or not, by the pods in its domains. */
export function preference(
  pod: Pod,
  nodes: readonly NodeInfo[],
  namespaceLabels: NamespaceLabels,
): (info: NodeInfo) => number {
  const weights = new Map<string, number>()
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  for (const [rules, sign] of [
    [podAffinity, 1],
    [podAntiAffinity, -1],
  ] as const)
    for (const { podAffinityTerm: term, weight } of rules?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      for (const info of nodes) {
        const domain = domainOf(info, term.topologyKey)
        if (domain === undefined) continue
        const meant = [...info.pods.values()].filter((other) => termMeans(term, pod, other, namespaceLabels)).length
        const key = `${term.topologyKey}\0${domain}`
        if (meant > 0) weights.set(key, (weights.get(key) ?? 0) + sign * weight * meant)
      }
  return (info) => {
    let total = 0
    for (const [at, weight] of weights) {
      const [key = '', domain] = at.split('\0')
      if (domainOf(info, key) === domain) total += weight
    }
    return total
  }
}
