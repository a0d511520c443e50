import { TYPE_URLS } from '@ambit/api'
import {
  decodeCredential,
  decodeMeshConfig,
  type Judgement,
  judgeObjects,
  type MeshContext,
  missingCredential,
} from '@ambit/controller/judgement'
import { systemClock } from '@ambit/core'
import { PolicyStore, WorkloadStore } from '@ambit/state'
import type { ObjectSet } from '../running/overlay.ts'
import { ProxyState } from './proxy-state.ts'
import { Told } from './told.ts'

/** What all proxies of a mesh know, each as it decodes what it is told. */
export interface CompiledMesh {
  readonly mesh: MeshContext
  readonly judgement: Judgement
  /** The same for every proxy. */
  readonly workloads: WorkloadStore
  /** Of ztunnels. */
  readonly policies: PolicyStore
  /** By `namespace/name`. */
  readonly proxies: ReadonlyMap<string, ProxyState>
  /** What the control plane could not compile, or a proxy would refuse. */
  readonly problems: readonly string[]
}

export interface CompileOptions {
  readonly meshConfig: string
  readonly rootNamespace: string
  readonly domain: string
  /** Whether a Secret that is not here does not exist. */
  readonly knowsSecrets: boolean
}

/** Nobody's keys are read: a listener is taken to have those it names. */
function takenForGood(namespace: string, name: string): ReturnType<typeof decodeCredential> {
  return { ...missingCredential(namespace, name, ''), found: true, certificateProblem: undefined, caProblem: undefined }
}

const CLUSTER = 'Kubernetes'
const NETWORK_LABEL = 'topology.istio.io/network'

/** The control plane's work on the objects, and the proxies' reading of what comes of it. */
export function compileMesh(objects: ObjectSet, options: CompileOptions): CompiledMesh {
  const { rootNamespace, domain, knowsSecrets } = options
  const problems: string[] = []
  const settings = decodeMeshConfig(options.meshConfig, rootNamespace)
  if (!settings.ok) problems.push(`the mesh's settings can not be read, the defaults are taken: ${settings.reason}`)
  const config = settings.ok ? settings.config : { rootNamespace, trustDomain: domain }
  const root = objects.get('core/Namespace')?.get(`/${config.rootNamespace}`)?.object
  const network = root?.metadata.labels?.[NETWORK_LABEL] ?? ''
  // Policies that only report are told too: what they would have said is part of the answer, and never decides.
  const mesh: MeshContext = { ...config, clusterId: CLUSTER, domain, network, dryRunEnabled: true }
  const told = new Told()
  const all = [...objects.values()].flatMap((kind) => [...kind.values()].map(({ object }) => object))
  const secretOf = (namespace: string, name: string): ReturnType<typeof decodeCredential> | undefined => {
    const secret = objects.get('core/Secret')?.get(`${namespace}/${name}`)
    if (secret !== undefined) return decodeCredential(secret.object)
    return knowsSecrets ? missingCredential(namespace, name, 'does not exist') : takenForGood(namespace, name)
  }
  const judgement = judgeObjects(all, mesh, secretOf, told)
  problems.push(...judgement.failures)
  const workloads = new WorkloadStore({ clock: systemClock })
  const policies = new PolicyStore()
  const refused = [
    ...policies.apply({ upserts: told.everybody(TYPE_URLS.authorization), removed: [] }),
    ...workloads.apply({ upserts: told.everybody(TYPE_URLS.address), removed: [] }),
  ]
  const proxies = new Map<string, ProxyState>()
  for (const name of told.proxies(TYPE_URLS.waypointSettings)) proxies.set(name, new ProxyState(name, told))
  for (const { name, reason } of [...refused, ...[...proxies.values()].flatMap(({ rejected }) => rejected)])
    problems.push(`proxies refuse ${name}: ${reason}`)
  return { mesh, judgement, workloads, policies, proxies, problems }
}
