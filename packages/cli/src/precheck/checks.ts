import type { ClusterObject } from '../cluster/cluster.types.ts'
import { asList, asObject, asText } from '../json.ts'
import type { PrecheckMessage } from './message.types.ts'

/** Oldest Kubernetes that is supported (Istio: 1.32). */
const MIN_KUBERNETES_MINOR = 32
const GATEWAY_API = 'gateway.networking.k8s.io'
/** Gateway API's kinds, the version that has to be served, and the one that will have to be. */
const NEEDED: Readonly<Record<string, { readonly must?: string; readonly should?: string }>> = {
  Gateway: { must: 'v1beta1', should: 'v1' },
  GatewayClass: { must: 'v1beta1', should: 'v1' },
  HTTPRoute: { must: 'v1beta1', should: 'v1' },
  ReferenceGrant: { must: 'v1beta1' },
  GRPCRoute: { should: 'v1' },
}
/** Kinds are not watched below this release of Gateway API. */
const MIN_BUNDLE: Readonly<Record<string, string>> = {
  GRPCRoute: '1.1.0',
  BackendTLSPolicy: '1.4.0',
  TLSRoute: '1.5.0',
  TCPRoute: '1.6.0',
}

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
  return crds
    .filter((crd) => asText(asObject(crd['spec'])['group']) === GATEWAY_API)
    .flatMap((crd) => [...servedVersions(crd), ...bundleVersion(crd)])
}

function servedVersions(crd: ClusterObject): readonly PrecheckMessage[] {
  const spec = asObject(crd['spec'])
  const served = asList(spec['versions'])
    .map(asObject)
    .filter((version) => version['served'] === true)
    .map((version) => asText(version['name']))
    .toSorted()
  const { must, should } = NEEDED[kindOf(crd)] ?? {}
  const has = served.length === 0 ? 'none' : served.join(',')
  const about = { origin: originOf(crd) }
  const text = (minimum: string): string =>
    `The Gateway API CRD version ${has} is lower than the minimum version: ${minimum}`
  return [
    ...(must === undefined || served.includes(must)
      ? []
      : [{ ...about, code: 'IST0156', level: 'Error' as const, message: text(must) }]),
    ...(should === undefined || served.includes(should)
      ? []
      : [{ ...about, code: 'IST0172', level: 'Warning' as const, message: text(should) }]),
  ]
}

function bundleVersion(crd: ClusterObject): readonly PrecheckMessage[] {
  const minimum = MIN_BUNDLE[kindOf(crd)]
  const version = crd.metadata.annotations?.['gateway.networking.k8s.io/bundle-version'] ?? ''
  if (minimum === undefined || version === '' || !isBelow(version, minimum)) return []
  return [
    {
      code: 'IST0176',
      level: 'Warning',
      origin: originOf(crd),
      message: `Gateway API CRD ${JSON.stringify(crd.metadata.name)} is at version ${JSON.stringify(version)} but Istio requires at least ${JSON.stringify(`v${minimum}`)}; resources of this kind will not be processed. Upgrade the Gateway API CRDs to satisfy the minimum version.`,
    },
  ]
}

function isBelow(version: string, minimum: string): boolean {
  const [a, b] = [version, minimum].map((text) => (/(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number))
  if (a?.length !== 3 || b?.length !== 3) return false
  for (const [at, part] of a.entries()) if (part !== b[at]) return part < (b[at] ?? 0)
  return false
}

function kindOf(crd: ClusterObject): string {
  return asText(asObject(asObject(crd['spec'])['names'])['kind'])
}

function originOf(crd: ClusterObject): string {
  return `CustomResourceDefinition ${crd.metadata.name}`
}
