import { LABELS } from '@ambit/api'
import { waypointWish } from '@ambit/controller/judgement'
import type { Analyzer } from '../message.types.ts'
import { namespaceOf } from '../source.types.ts'

const GATEWAY = 'gateway.networking.k8s.io/Gateway'
const TRAFFIC: ReadonlySet<string> = new Set(['service', 'workload', 'all', 'none'])

export const waypointReferences: Analyzer = {
  name: 'ambient.WaypointAnalyzer',
  summary: 'Whether the waypoints that labels name are there, and can take anything',
  codes: ['IST0101', 'IST0133'],
  *analyze(snapshot) {
    for (const kind of ['core/Namespace', 'core/Pod'] as const)
      for (const about of snapshot.of(kind)) {
        const { labels = {}, name, namespace } = about.object.metadata
        // Services and entries say it in their status; of pods only what they say themselves.
        const wish = waypointWish(labels, namespace ?? name, {})
        if (wish.kind !== 'named' || !snapshot.lacks(GATEWAY, wish.namespace, wish.name)) continue
        const message = `Referenced waypoint not found: ${JSON.stringify(`${wish.namespace}/${wish.name}`)}`
        yield { code: 'IST0101', about, path: ['metadata', 'labels', LABELS.useWaypoint], message }
      }
    for (const about of snapshot.of(GATEWAY)) {
      const { labels = {}, name } = about.object.metadata
      const traffic = labels[LABELS.waypointFor]
      if (traffic !== undefined && !TRAFFIC.has(traffic)) {
        const message = `${LABELS.waypointFor}: ${JSON.stringify(traffic)} is none of service, workload, all, none: nothing can be bound to this waypoint`
        yield { code: 'IST0133', about, path: ['metadata', 'labels', LABELS.waypointFor], message }
      }
      if (name !== 'none' || traffic === undefined) continue
      const message = `metadata.name: none is the word for no waypoint: nothing in ${namespaceOf(about)} can be bound to this one`
      yield { code: 'IST0133', about, path: ['metadata', 'name'], message }
    }
  },
}
