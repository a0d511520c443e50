import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import { asList, asObject, asText } from '../json.ts'

/**
 * The controller turns its webhooks from Ignore to Fail as soon as it answers them. Installing again leaves that to it: where
 * the cluster says Fail, the applied object says nothing, and the field stays the controller's.
 */
export async function keepFailurePolicy(cluster: Cluster, object: ClusterObject): Promise<ClusterObject> {
  if (object.kind !== 'ValidatingWebhookConfiguration') return object
  const reference = { apiVersion: object.apiVersion ?? '', kind: object.kind, name: object.metadata.name }
  const live = asList(asObject(await cluster.read(reference))['webhooks']).map(asObject)
  const fails = new Set(
    live.filter((hook) => asText(hook['failurePolicy']) === 'Fail').map((hook) => asText(hook['name'])),
  )
  const webhooks = asList(object['webhooks']).map((hook) => {
    const { failurePolicy, ...rest } = asObject(hook)
    return failurePolicy === 'Ignore' && fails.has(asText(rest['name'])) ? rest : asObject(hook)
  })
  return { ...object, webhooks }
}
