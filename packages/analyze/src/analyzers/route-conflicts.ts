import { isDeepStrictEqual } from 'node:util'
import { byPrecedence } from '@ambit/controller/judgement'
import { MAX_COMPARED_RULES } from '../limits.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'

type Route = Parameters<typeof byPrecedence>[0]['route'] & {
  readonly parents: readonly {
    readonly kind: string
    readonly namespace: string
    readonly name: string
    readonly port: number | undefined
    readonly section: string
  }[]
  readonly hostnames: readonly string[]
  readonly rules: readonly { readonly matches: readonly Parameters<typeof byPrecedence>[0]['match'][] }[]
}

export const routeConflicts: Analyzer = {
  name: 'k8sgateway.RouteConflictAnalyzer',
  summary: 'Whether HTTPRoutes and GRPCRoutes of one parent match the same requests',
  codes: ['IST0130'],
  *analyze(snapshot) {
    const { state } = snapshot.judgement
    const byPlace = new Map<string, Ranked[]>()
    const routes: readonly Route[] = [...state.httpRoutes, ...state.grpcRoutes]
    for (const route of routes)
      for (const { kind, namespace, name, port, section } of route.parents)
        for (const host of route.hostnames.length === 0 ? ['*'] : route.hostnames)
          byPlace
            .getOrInsertComputed(`${kind} ${namespace}/${name}|${port ?? ''}|${section}|${host}`, () => [])
            .push(...rankedOf(route))
    const told = new Set<string>()
    for (const [place, matches] of byPlace)
      for (const finding of conflictsAt(snapshot, place, matches)) {
        const key = `${finding.about.object.kind}/${finding.message}`
        if (!told.has(key)) yield finding
        told.add(key)
      }
  },
}

type Ranked = Parameters<typeof byPrecedence>[0]

function rankedOf(route: Route): readonly Ranked[] {
  return route.rules.flatMap(({ matches }, rule) => matches.map((match, index) => ({ route, rule, index, match })))
}

function* conflictsAt(snapshot: Snapshot, place: string, all: readonly Ranked[]): Iterable<Finding> {
  const sorted = all.slice(0, MAX_COMPARED_RULES).toSorted(byPrecedence)
  const first = new Map<string, Ranked>()
  for (const one of sorted) {
    const key = JSON.stringify([one.match.path, one.match.method])
    const winner = first.get(key)
    if (winner === undefined) {
      first.set(key, one)
      continue
    }
    if (winner.route === one.route || !isDeepStrictEqual(winner.match, one.match)) continue
    const { kind, namespace, name } = one.route
    const about = snapshot.find(`gateway.networking.k8s.io/${kind}`, namespace, name)
    if (about === undefined) continue
    const [parent = ''] = place.split('|')
    const by = `${winner.route.kind} ${winner.route.namespace}/${winner.route.name}`
    const message = `Match #${one.index} of rule #${one.rule} of the ${kind} is never used at ${parent}: rule #${winner.rule} of ${by} has the same one and comes first.`
    yield { code: 'IST0130', about, path: ['spec', 'rules', one.rule], message }
  }
}
