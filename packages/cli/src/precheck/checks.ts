import { checkGatewayApi as checkVersions } from '@ambit/analyze/gateway-api-versions'
import type { ClusterObject } from '../cluster/cluster.types.ts'
import type { PrecheckMessage } from './message.types.ts'

/** Oldest Kubernetes that is supported (Istio: 1.32). */
const MIN_KUBERNETES_MINOR = 32
/** What an installation creates: who installs has to be allowed to. */
export const CREATED: readonly { readonly group: string; readonly resource: string; readonly namespaced: boolean }[] = [
  { group: '', resource: 'namespaces', namespaced: false },
  { group: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespaced: false },
  { group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings', namespaced: false },
  { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', namespaced: false },
  { group: 'rbac.authorization.k8s.io', resource: 'roles', namespaced: true },
  { group: '', resource: 'serviceaccounts', namespaced: true },
  { group: '', resource: 'services', namespaced: true },
  { group: 'apps', resource: 'deployments', namespaced: true },
  { group: 'apps', resource: 'daemonsets', namespaced: true },
  { group: '', resource: 'configmaps', namespaced: true },
  { group: 'admissionregistration.k8s.io', resource: 'validatingwebhookconfigurations', namespaced: false },
]

export function checkKubernetes(version: string | undefined): readonly PrecheckMessage[] {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version ?? '') ?? []
  if (major !== undefined && (Number(major) > 1 || Number(minor) >= MIN_KUBERNETES_MINOR)) return []
  return [
    {
      code: 'IST0142',
      level: 'Error',
      origin: 'Cluster',
      message: `The Kubernetes Version ${JSON.stringify(version ?? 'unknown')} is lower than the minimum version: 1.${MIN_KUBERNETES_MINOR}`,
    },
  ]
}

export function missingPermission(resource: string, reason: string): PrecheckMessage {
  const message = `Missing required permission to create resource ${resource} (${reason || 'permission denied'})`
  return { code: 'IST0141', level: 'Error', origin: 'Cluster', message }
}

/** Gateway API may be absent; if it is there it has to be new enough. */
export function checkGatewayApi(crds: readonly ClusterObject[]): readonly PrecheckMessage[] {
  return crds.flatMap((crd) =>
    checkVersions(crd).map(({ code, message }) => ({
      code,
      level: code === 'IST0156' ? ('Error' as const) : ('Warning' as const),
      origin: `CustomResourceDefinition ${crd.metadata.name}`,
      message,
    })),
  )
}
