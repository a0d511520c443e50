import { LABELS } from '@ambit/api'
import type { Analyzer } from '../message.types.ts'

const INJECTION = 'istio-injection'

export const namespaceLabels: Analyzer = {
  name: 'injection.Analyzer',
  summary: 'Whether namespaces and their pods are in the mesh, by one label',
  codes: ['IST0102', 'IST0103', 'IST0123'],
  *analyze(snapshot) {
    for (const about of snapshot.of('core/Namespace')) {
      const { name, labels = {} } = about.object.metadata
      if (name === snapshot.rootNamespace) continue
      const injection = labels[INJECTION]
      const kinds = [LABELS.revision, LABELS.dataplaneMode].filter((label) => labels[label] !== undefined)
      const beside = injection === undefined || injection === 'enabled' ? kinds : []
      const written = [...(injection === undefined ? [] : [INJECTION]), ...beside].map((key) => `${key}=${labels[key]}`)
      const path = ['metadata', 'labels']
      if (written.length > 1) {
        const message = `The namespace says in more than one way how it is in the mesh: ${written.join(', ')}. Keep one of these labels.`
        yield { code: 'IST0123', about, path, message }
      }
      // `none` is somebody's decision.
      if (labels[LABELS.dataplaneMode] !== undefined) continue
      if (injection === undefined && labels[LABELS.revision] === undefined) {
        const message = `The namespace is not in the mesh. 'kubectl label namespace ${name} ${LABELS.dataplaneMode}=ambient' puts it in, '${LABELS.dataplaneMode}=none' says that it is meant so.`
        yield { code: 'IST0102', about, path: ['metadata', 'name'], message }
      }
      if (injection !== 'enabled') continue
      for (const pod of snapshot.workloadsIn(name)) {
        const inject = pod.labels['sidecar.istio.io/inject'] ?? pod.annotations['sidecar.istio.io/inject']
        const outside = inject?.toLowerCase() === 'false' || pod.hostNetwork || pod.containers.includes('istio-proxy')
        if (outside || pod.labels[LABELS.dataplaneMode] !== undefined) continue
        const message = `The pod ${name}/${pod.name} is not in the mesh: there are no sidecars here, and its namespace asks for them. Label the namespace ${LABELS.dataplaneMode}=ambient instead.`
        yield { code: 'IST0103', about: pod.source, message }
      }
    }
  },
}
