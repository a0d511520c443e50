import type { JsonObject } from '../json.ts'
import { apiVersionOf, type ResourceDefinition, STORED_VERBS } from '../resources/resource-definition.ts'
import type { ResourceRegistry } from '../resources/resource-registry.ts'

/** Resources that are only ever created, not stored. */
interface VirtualResource {
  readonly group: string
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
}

export const VIRTUAL_RESOURCES: readonly VirtualResource[] = [
  { group: 'authentication.k8s.io', resource: 'tokenreviews', kind: 'TokenReview', namespaced: false },
  { group: 'authentication.k8s.io', resource: 'selfsubjectreviews', kind: 'SelfSubjectReview', namespaced: false },
  { group: 'authorization.k8s.io', resource: 'subjectaccessreviews', kind: 'SubjectAccessReview', namespaced: false },
  {
    group: 'authorization.k8s.io',
    resource: 'localsubjectaccessreviews',
    kind: 'LocalSubjectAccessReview',
    namespaced: true,
  },
  {
    group: 'authorization.k8s.io',
    resource: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
  },
  {
    group: 'authorization.k8s.io',
    resource: 'selfsubjectrulesreviews',
    kind: 'SelfSubjectRulesReview',
    namespaced: false,
  },
]

interface Subresource {
  readonly name: string
  readonly kind: string
  readonly group: string
  readonly version: string
  readonly verbs: readonly string[]
}

function subresourcesOf(definition: ResourceDefinition, version: string): readonly Subresource[] {
  const own = { kind: definition.kind, group: definition.group, version }
  const found: Subresource[] = []
  if (definition.status.has(version)) found.push({ name: 'status', ...own, verbs: ['get', 'patch', 'update'] })
  if (definition.scale(version) !== undefined)
    found.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get', 'patch', 'update'] })
  if (definition.group !== '') return found
  const core = (name: string, kind: string, verbs: readonly string[], group = '', v = 'v1'): void => {
    found.push({ name, kind, group, version: v, verbs })
  }
  if (definition.resource === 'pods') {
    core('log', 'Pod', ['get'])
    core('exec', 'PodExecOptions', ['create', 'get'])
    core('attach', 'PodAttachOptions', ['create', 'get'])
    core('portforward', 'PodPortForwardOptions', ['create', 'get'])
    core('binding', 'Binding', ['create'])
    core('ephemeralcontainers', 'Pod', ['get', 'patch', 'update'])
    core('eviction', 'Eviction', ['create'], 'policy')
  }
  if (definition.resource === 'serviceaccounts') core('token', 'TokenRequest', ['create'], 'authentication.k8s.io')
  if (definition.resource === 'namespaces') core('finalize', 'Namespace', ['update'])
  return found
}

/** Groups with what is served in them, the core group as ''. */
function groupVersions(registry: ResourceRegistry): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, readonly string[]>()
  for (const group of registry.groups()) groups.set(group, registry.versionsOf(group))
  for (const { group } of VIRTUAL_RESOURCES) if (!groups.has(group)) groups.set(group, ['v1'])
  return groups
}

/** All group/version pairs, as paths without the leading slash: `api/v1`, `apis/apps/v1`. */
export function apiPaths(
  registry: ResourceRegistry,
): readonly { readonly path: string; readonly group: string; readonly version: string }[] {
  return [...groupVersions(registry)].flatMap(([group, versions]) =>
    versions.map((version) => ({ path: group === '' ? `api/${version}` : `apis/${group}/${version}`, group, version })),
  )
}

/** Aggregated discovery (apidiscovery.k8s.io/v2) of the core group or of all named ones. */
export function aggregatedDiscovery(registry: ResourceRegistry, core: boolean, version: string): JsonObject {
  const items = [...groupVersions(registry)]
    .filter(([group]) => (group === '') === core)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((each) => ({
        version: each,
        freshness: 'Current',
        resources: resourcesOf(registry, group, each),
      })),
    }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }
}

function resourcesOf(registry: ResourceRegistry, group: string, version: string): readonly JsonObject[] {
  const stored = registry
    .all()
    .filter((definition) => definition.group === group && definition.versions.includes(version))
    .map((definition) => ({
      resource: definition.resource,
      responseKind: { group, version, kind: definition.kind },
      scope: definition.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: definition.singular,
      verbs: STORED_VERBS,
      ...(definition.shortNames.length > 0 ? { shortNames: definition.shortNames } : {}),
      ...(definition.categories.length > 0 ? { categories: definition.categories } : {}),
      subresources: subresourcesOf(definition, version).map((sub) => ({
        subresource: sub.name,
        responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
        verbs: sub.verbs,
      })),
    }))
  const virtual = VIRTUAL_RESOURCES.filter((item) => item.group === group).map((item) => ({
    resource: item.resource,
    responseKind: { group, version, kind: item.kind },
    scope: item.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: item.kind.toLowerCase(),
    verbs: ['create'],
  }))
  return [...stored, ...virtual]
}

/** GET /api */
export function apiVersions(): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
}

function apiGroup(name: string, versions: readonly string[]): JsonObject {
  const entries = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: entries, preferredVersion: entries[0] }
}

/** GET /apis */
export function apiGroupList(registry: ResourceRegistry): JsonObject {
  const groups = [...groupVersions(registry)].filter(([group]) => group !== '')
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map(([group, versions]) => apiGroup(group, versions)),
  }
}

/** GET /apis/G */
export function apiGroupOf(registry: ResourceRegistry, group: string): JsonObject | undefined {
  const versions = groupVersions(registry).get(group)
  return versions === undefined || group === ''
    ? undefined
    : { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group, versions) }
}

/** GET /api/v1 and /apis/G/V */
export function apiResourceList(registry: ResourceRegistry, group: string, version: string): JsonObject | undefined {
  if (groupVersions(registry).get(group)?.includes(version) !== true) return undefined
  const resources: JsonObject[] = []
  for (const definition of registry.all()) {
    if (definition.group !== group || !definition.versions.includes(version)) continue
    const { resource: name, singular: singularName, namespaced, kind, shortNames, categories } = definition
    resources.push({ name, singularName, namespaced, kind, verbs: STORED_VERBS, shortNames, categories })
    for (const sub of subresourcesOf(definition, version))
      resources.push({
        name: `${name}/${sub.name}`,
        singularName: '',
        namespaced,
        kind: sub.kind,
        verbs: sub.verbs,
        ...(sub.group === group ? {} : { group: sub.group, version: sub.version }),
      })
  }
  for (const item of VIRTUAL_RESOURCES)
    if (item.group === group)
      resources.push({
        name: item.resource,
        singularName: item.kind.toLowerCase(),
        namespaced: item.namespaced,
        kind: item.kind,
        verbs: ['create'],
      })
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf(group, version), resources }
}
