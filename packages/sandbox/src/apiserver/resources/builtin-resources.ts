import type { BuiltinTypes } from '../schema/builtin-types.ts'
import type { ResourceDefinition } from './resource-definition.ts'

/** Columns: group, kind, plural, type, flags (n namespaced, s status, c scale, a category all), short names. */
const ROWS = `
|Namespace|namespaces|Namespace|s|ns
|Node|nodes|Node|s|no
|Pod|pods|Pod|nsa|po
|Service|services|Service|nsa|svc
|ServiceAccount|serviceaccounts|ServiceAccount|n|sa
|ConfigMap|configmaps|ConfigMap|n|cm
|Secret|secrets|Secret|n|
|Event|events|Event|n|ev
apps|Deployment|deployments|apps.Deployment|nsca|deploy
apps|ReplicaSet|replicasets|apps.ReplicaSet|nsca|rs
apps|DaemonSet|daemonsets|apps.DaemonSet|nsa|ds
discovery.k8s.io|EndpointSlice|endpointslices|discovery.EndpointSlice|n|
events.k8s.io|Event|events|events.Event|n|ev
coordination.k8s.io|Lease|leases|coordination.Lease|n|
rbac.authorization.k8s.io|Role|roles|rbac.Role|n|
rbac.authorization.k8s.io|RoleBinding|rolebindings|rbac.RoleBinding|n|
rbac.authorization.k8s.io|ClusterRole|clusterroles|rbac.ClusterRole||
rbac.authorization.k8s.io|ClusterRoleBinding|clusterrolebindings|rbac.ClusterRoleBinding||
policy|PodDisruptionBudget|poddisruptionbudgets|policy.PodDisruptionBudget|ns|pdb
networking.k8s.io|NetworkPolicy|networkpolicies|networking.NetworkPolicy|n|netpol
scheduling.k8s.io|PriorityClass|priorityclasses|scheduling.PriorityClass||pc
admissionregistration.k8s.io|ValidatingWebhookConfiguration|validatingwebhookconfigurations|admission.ValidatingWebhookConfiguration||
admissionregistration.k8s.io|MutatingWebhookConfiguration|mutatingwebhookconfigurations|admission.MutatingWebhookConfiguration||
apiextensions.k8s.io|CustomResourceDefinition|customresourcedefinitions|crd.CustomResourceDefinition|s|crd,crds
autoscaling|HorizontalPodAutoscaler|horizontalpodautoscalers|autoscaling2.HorizontalPodAutoscaler|nsa|hpa
`

/** The served built-in kinds; StatefulSet, Job, PersistentVolume and others are left out on purpose: 404. */
export function builtinResources(types: BuiltinTypes): readonly ResourceDefinition[] {
  const definitions: ResourceDefinition[] = []
  for (const row of ROWS.split('\n')) {
    const [group, kind, resource, type, flags, short] = row.split('|')
    if (group === undefined || kind === undefined || resource === undefined || type === undefined) continue
    const version = group === 'autoscaling' ? 'v2' : 'v1'
    definitions.push({
      group,
      kind,
      resource,
      singular: kind.toLowerCase(),
      namespaced: flags?.includes('n') ?? false,
      shortNames: short ? short.split(',') : [],
      categories: [
        ...(flags?.includes('a') ? ['all'] : []),
        ...(kind === 'CustomResourceDefinition' || kind.endsWith('WebhookConfiguration') ? ['api-extensions'] : []),
      ],
      versions: [version],
      status: new Set(flags?.includes('s') ? [version] : []),
      scale: flags?.includes('c') ?? false,
      type: () => types.get(type),
    })
  }
  return definitions
}
