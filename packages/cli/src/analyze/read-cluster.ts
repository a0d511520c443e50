import { type AnyObject, type Coverage, namedSecrets, READ_KINDS, type ReadKind, type Sourced } from '@ambit/analyze'
import type { Cluster } from '../cluster/cluster.types.ts'
import { isForbidden } from '../cluster/is-forbidden.ts'
import { isNotFound } from '../cluster/is-not-found.ts'

/** Versions to ask for where a kind's own is not served. */
const OLDER = ['v1beta1', 'v1alpha3', 'v1alpha1'] as const
const MESH_CONFIG = 'istio'

export interface ClusterRead {
  readonly objects: readonly AnyObject[]
  readonly coverage: ReadonlyMap<string, Coverage>
  readonly meshConfig: string | undefined
  /** Rights that are missing, and what the answer leaves out. */
  readonly notes: readonly string[]
}

interface Asked {
  /** Of kinds that may not be listed everywhere. */
  readonly namespace: string
  readonly istioNamespace: string
  /** Laid over the cluster: Secrets they name are looked for too. */
  readonly files: readonly Sourced[]
}

type Listed = {
  readonly objects: readonly AnyObject[]
  readonly coverage: Coverage
  readonly note?: string | undefined
}

/** Everything an analysis looks at. A right that is missing makes the answer smaller, not impossible. */
export async function readCluster(cluster: Cluster, asked: Asked): Promise<ClusterRead> {
  const { objects, coverage, notes } = await readKinds(cluster, READ_KINDS, asked.namespace)
  const secrets = await readSecrets(cluster, namedSecrets([...objects, ...asked.files.map(({ object }) => object)]))
  objects.push(...secrets.objects)
  if (secrets.coverage !== 'all') coverage.set('core/Secret', secrets.coverage)
  if (secrets.note !== undefined) notes.push(secrets.note)
  const mesh = await readMeshConfig(cluster, asked.istioNamespace)
  if (mesh.note !== undefined) notes.push(mesh.note)
  return { objects, coverage, meshConfig: mesh.text, notes }
}

/** All objects of these kinds; of those that may not be listed everywhere, those of the namespace. */
export async function readKinds(
  cluster: Cluster,
  kinds: readonly ReadKind[],
  namespace: string,
): Promise<{ readonly objects: AnyObject[]; readonly coverage: Map<string, Coverage>; readonly notes: string[] }> {
  const lists = await Promise.all(kinds.map((kind) => listKind(cluster, kind, namespace)))
  const coverage = new Map<string, Coverage>()
  const objects: AnyObject[] = []
  const notes: string[] = []
  for (const [i, { objects: found, coverage: covered, note }] of lists.entries()) {
    const { apiVersion, kind } = kinds[i] as ReadKind
    for (const object of found) objects.push({ ...object, apiVersion: object.apiVersion || apiVersion, kind })
    if (covered !== 'all') coverage.set(groupKind(apiVersion, kind), covered)
    if (note !== undefined) notes.push(note)
  }
  return { objects, coverage, notes }
}

async function listKind(cluster: Cluster, kind: ReadKind, namespace: string): Promise<Listed> {
  const group = kind.apiVersion.slice(0, kind.apiVersion.indexOf('/'))
  const versions =
    group.endsWith('.istio.io') || group.startsWith('gateway.') ? OLDER.map((one) => `${group}/${one}`) : []
  for (const apiVersion of [kind.apiVersion, ...versions]) {
    try {
      const objects = await cluster.list({ apiVersion, kind: kind.kind })
      return { objects: objects as readonly AnyObject[], coverage: 'all' }
    } catch (error) {
      if (isForbidden(error)) return await listInNamespace(cluster, { ...kind, apiVersion }, namespace)
      if (!isNotFound(error)) throw error
    }
  }
  return { objects: [], coverage: 'all' }
}

async function listInNamespace(cluster: Cluster, kind: ReadKind, namespace: string): Promise<Listed> {
  const { apiVersion, plural, leavesOut } = kind
  const nothing = { objects: [], coverage: new Set<string>() }
  if (!kind.namespaced) return { ...nothing, note: `no right to list ${plural}: left out: ${leavesOut}` }
  try {
    const objects = await cluster.list({ apiVersion, kind: kind.kind, namespace })
    const note = `no right to list ${plural} of all namespaces: only those of ${namespace} are looked at; of others is left out: ${leavesOut}`
    return { objects: objects as readonly AnyObject[], coverage: new Set([namespace]), note }
  } catch (error) {
    if (!isForbidden(error)) throw error
    return { ...nothing, note: `no right to list ${plural}, not even those of ${namespace}: left out: ${leavesOut}` }
  }
}

async function readSecrets(cluster: Cluster, names: readonly string[]): Promise<Listed> {
  const objects: AnyObject[] = []
  for (const at of names) {
    const [namespace = '', name = ''] = at.split('/')
    try {
      const secret = await cluster.read({ apiVersion: 'v1', kind: 'Secret', namespace, name })
      if (secret !== undefined) objects.push({ ...(secret as AnyObject), apiVersion: 'v1', kind: 'Secret' })
    } catch (error) {
      if (!isForbidden(error)) throw error
      const note = `no right to get secrets in ${namespace}: left out: whether credentials of gateways exist and can be used`
      return { objects: [], coverage: new Set<string>(), note }
    }
  }
  return { objects, coverage: 'all' }
}

export async function readMeshConfig(
  cluster: Cluster,
  namespace: string,
): Promise<{ readonly text?: string | undefined; readonly note?: string | undefined }> {
  try {
    const found = await cluster.read({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: MESH_CONFIG })
    const data = found?.['data'] as { readonly mesh?: unknown } | undefined
    return typeof data?.mesh === 'string' ? { text: data.mesh } : {}
  } catch (error) {
    if (!isForbidden(error)) throw error
    return {
      note: `no right to get configmap ${MESH_CONFIG} in ${namespace}: the mesh’s settings are taken to be the defaults`,
    }
  }
}

function groupKind(apiVersion: string, kind: string): string {
  const slash = apiVersion.indexOf('/')
  return `${slash < 0 ? 'core' : apiVersion.slice(0, slash)}/${kind}`
}
