import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import { ClusterError } from '../errors.ts'
import { parseJson } from '../json.ts'
import type { SyncedProxy } from './decode-syncz.ts'
import { decodeSyncz } from './decode-syncz.ts'

/** Where istiod answers debug questions unless its pod's annotation says otherwise. */
const MONITORING_PORT = 15014

/** The running controllers. */
export function listIstiods(cluster: Cluster, namespace: string): Promise<readonly ClusterObject[]> {
  return cluster.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    labelSelector: 'app=istiod',
    fieldSelector: 'status.phase=Running',
  })
}

/** The proxies connected to one controller. */
export async function syncedProxies(cluster: Cluster, istiod: ClusterObject): Promise<readonly SyncedProxy[]> {
  const text = await askIstiod(cluster, istiod, '/debug/syncz')
  return decodeSyncz(parseJson(text, `/debug/syncz of ${istiod.metadata.name}`))
}

/** `GET path` of a controller's monitoring port. */
export async function askIstiod(cluster: Cluster, istiod: ClusterObject, path: string): Promise<string> {
  const { name, namespace, annotations } = istiod.metadata
  const annotated = Number(annotations?.['prometheus.io/port'])
  const port = Number.isInteger(annotated) && annotated > 0 ? annotated : MONITORING_PORT
  const answer = await cluster.ask({ namespace: namespace ?? '', pod: name, port, path })
  if (answer.status !== 200) {
    throw new ClusterError(`${path} of ${name} answered ${answer.status}: ${answer.body.slice(0, 200).trim()}`)
  }
  return answer.body
}
