import type { Gvr } from '../apiserver/contract.types.ts'

const core = (resource: string): Gvr => ({ group: '', version: 'v1', resource })
const apps = (resource: string): Gvr => ({ group: 'apps', version: 'v1', resource })

/** The resources that the runtime itself reads and writes. */
export const GVR: {
  readonly [Name in
    | 'pods'
    | 'nodes'
    | 'namespaces'
    | 'services'
    | 'events'
    | 'configMaps'
    | 'secrets'
    | 'serviceAccounts'
    | 'deployments'
    | 'replicaSets'
    | 'replicationControllers'
    | 'daemonSets'
    | 'endpointSlices'
    | 'leases'
    | 'endpoints'
    | 'statefulSets'
    | 'controllerRevisions'
    | 'jobs'
    | 'cronJobs'
    | 'disruptionBudgets'
    | 'autoscalers'
    | 'resourceQuotas'
    | 'priorityClasses'
    | 'networkPolicies'
    | 'persistentVolumes'
    | 'persistentVolumeClaims'
    | 'storageClasses']: Gvr
} = {
  pods: core('pods'),
  nodes: core('nodes'),
  namespaces: core('namespaces'),
  services: core('services'),
  events: core('events'),
  configMaps: core('configmaps'),
  secrets: core('secrets'),
  serviceAccounts: core('serviceaccounts'),
  deployments: apps('deployments'),
  replicaSets: apps('replicasets'),
  replicationControllers: core('replicationcontrollers'),
  daemonSets: apps('daemonsets'),
  endpointSlices: { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' },
  networkPolicies: { group: 'networking.k8s.io', version: 'v1', resource: 'networkpolicies' },
  leases: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
  endpoints: core('endpoints'),
  statefulSets: apps('statefulsets'),
  controllerRevisions: apps('controllerrevisions'),
  jobs: { group: 'batch', version: 'v1', resource: 'jobs' },
  cronJobs: { group: 'batch', version: 'v1', resource: 'cronjobs' },
  disruptionBudgets: { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' },
  autoscalers: { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' },
  resourceQuotas: core('resourcequotas'),
  priorityClasses: { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' },
  persistentVolumes: core('persistentvolumes'),
  persistentVolumeClaims: core('persistentvolumeclaims'),
  storageClasses: { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' },
}
