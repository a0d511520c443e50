import type { BuiltinTypes } from '../schema/builtin-types.ts'
import { convertAutoscaler } from './autoscaler-versions.ts'
import type { Convert, ResourceDefinition, ScalePaths } from './resource-definition.ts'

/**
 * Columns: group, kind, plural, type, flags (n namespaced, s status, c scale, a category all), short names, versions.
 * Groups in the order of Kubernetes' discovery, resources by name: that is the order of `kubectl get all`.
 */
const ROWS = `
|ConfigMap|configmaps|ConfigMap|n|cm
|Endpoints|endpoints|Endpoints|n|ep
|Event|events|Event|n|ev
|LimitRange|limitranges|LimitRange|n|limits
|Namespace|namespaces|Namespace|s|ns
|Node|nodes|Node|s|no
|PersistentVolumeClaim|persistentvolumeclaims|PersistentVolumeClaim|ns|pvc
|PersistentVolume|persistentvolumes|PersistentVolume|s|pv
|Pod|pods|Pod|nsa|po
|ReplicationController|replicationcontrollers|ReplicationController|nsca|rc
|ResourceQuota|resourcequotas|ResourceQuota|ns|quota
|Secret|secrets|Secret|n|
|ServiceAccount|serviceaccounts|ServiceAccount|n|sa
|Service|services|Service|nsa|svc
apiregistration.k8s.io|APIService|apiservices|apiregistration.APIService|s|
apps|ControllerRevision|controllerrevisions|apps.ControllerRevision|n|
apps|DaemonSet|daemonsets|apps.DaemonSet|nsa|ds
apps|Deployment|deployments|apps.Deployment|nsca|deploy
apps|ReplicaSet|replicasets|apps.ReplicaSet|nsca|rs
apps|StatefulSet|statefulsets|apps.StatefulSet|nsca|sts
events.k8s.io|Event|events|events.Event|n|ev
autoscaling|HorizontalPodAutoscaler|horizontalpodautoscalers|autoscaling2.HorizontalPodAutoscaler|nsa|hpa|v2,v1
batch|CronJob|cronjobs|batch.CronJob|nsa|cj
batch|Job|jobs|batch.Job|nsa|
networking.k8s.io|IngressClass|ingressclasses|networking.IngressClass||
networking.k8s.io|Ingress|ingresses|networking.Ingress|ns|ing
networking.k8s.io|NetworkPolicy|networkpolicies|networking.NetworkPolicy|n|netpol
policy|PodDisruptionBudget|poddisruptionbudgets|policy.PodDisruptionBudget|ns|pdb
rbac.authorization.k8s.io|ClusterRoleBinding|clusterrolebindings|rbac.ClusterRoleBinding||
rbac.authorization.k8s.io|ClusterRole|clusterroles|rbac.ClusterRole||
rbac.authorization.k8s.io|RoleBinding|rolebindings|rbac.RoleBinding|n|
rbac.authorization.k8s.io|Role|roles|rbac.Role|n|
storage.k8s.io|StorageClass|storageclasses|storage.StorageClass||sc
admissionregistration.k8s.io|MutatingWebhookConfiguration|mutatingwebhookconfigurations|admission.MutatingWebhookConfiguration||
admissionregistration.k8s.io|ValidatingAdmissionPolicy|validatingadmissionpolicies|admission.ValidatingAdmissionPolicy|s|
admissionregistration.k8s.io|ValidatingAdmissionPolicyBinding|validatingadmissionpolicybindings|admission.ValidatingAdmissionPolicyBinding||
admissionregistration.k8s.io|ValidatingWebhookConfiguration|validatingwebhookconfigurations|admission.ValidatingWebhookConfiguration||
apiextensions.k8s.io|CustomResourceDefinition|customresourcedefinitions|crd.CustomResourceDefinition|s|crd,crds
scheduling.k8s.io|PriorityClass|priorityclasses|scheduling.PriorityClass||pc
coordination.k8s.io|Lease|leases|coordination.Lease|n|
node.k8s.io|RuntimeClass|runtimeclasses|node.RuntimeClass||
discovery.k8s.io|EndpointSlice|endpointslices|discovery.EndpointSlice|n|
`

const WORKLOAD_SCALE: ScalePaths = {
  spec: ['spec', 'replicas'],
  status: ['status', 'replicas'],
  selector: ['spec', 'selector'],
}

/** Kinds that kubectl's `api-resources --categories=api-extensions` shows. */
const API_EXTENSIONS = /WebhookConfiguration$|^ValidatingAdmissionPolicy|^CustomResourceDefinition$|^APIService$/

/** Versions that differ from the stored, first one in more than their name. */
const CONVERSIONS: Readonly<
  Record<string, { readonly types: Readonly<Record<string, string>>; readonly convert: Convert }>
> = {
  'autoscaling/HorizontalPodAutoscaler': {
    types: { v1: 'autoscaling.HorizontalPodAutoscaler' },
    convert: convertAutoscaler,
  },
}

/** The served built-in kinds. */
export function builtinResources(types: BuiltinTypes): readonly ResourceDefinition[] {
  const definitions: ResourceDefinition[] = []
  for (const row of ROWS.split('\n')) {
    const [group, kind, resource, type, flags, short, versionList = 'v1'] = row.split('|')
    if (group === undefined || kind === undefined || resource === undefined || type === undefined) continue
    const versions = versionList.split(',')
    const conversion = CONVERSIONS[`${group}/${kind}`]
    definitions.push({
      group,
      kind,
      resource,
      singular: kind.toLowerCase(),
      namespaced: flags?.includes('n') ?? false,
      shortNames: short ? short.split(',') : [],
      categories: [...(flags?.includes('a') ? ['all'] : []), ...(API_EXTENSIONS.test(kind) ? ['api-extensions'] : [])],
      versions,
      status: new Set(flags?.includes('s') ? versions : []),
      scale: () => (flags?.includes('c') === true ? WORKLOAD_SCALE : undefined),
      type: (version) => types.get(conversion?.types[version] ?? type),
      convert: conversion?.convert,
    })
  }
  return definitions
}
