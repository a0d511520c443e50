import { ROOT_NAMESPACE } from '@ambit/api'
import {
  coversRevision,
  decodeCredential,
  decodeMeshConfig,
  groupKindOf,
  type Judgement,
  judgeObjects,
  type MeshContext,
  missingCredential,
} from '@ambit/controller/judgement'
import type { KubeObject } from '@ambit/kube'
import { asDeployed } from './as-deployed.ts'
import type { AnyObject, Sourced } from './source.types.ts'
import { type Workload, workloadOf } from './workload.ts'

/** Which namespaces of a kind were read; `all` also where there is none. */
export type Coverage = 'all' | ReadonlySet<string>

export interface SnapshotInput {
  readonly cluster: readonly AnyObject[]
  /** Laid over the cluster's objects. */
  readonly files: readonly Sourced[]
  /** By group and kind, for those of which not everything was read. */
  readonly coverage?: ReadonlyMap<string, Coverage> | undefined
  /** Text of the mesh's settings. */
  readonly meshConfig?: string | undefined
  readonly rootNamespace?: string | undefined
  readonly domain?: string | undefined
  readonly revision?: string | undefined
  /** Whether enough was read to work out what the control plane would say; from the coverage unless given. */
  readonly canJudge?: boolean | undefined
}

/** Kinds whose objects may be for one revision only. */
const OF_REVISION = /^(?:networking|security|gateway\.networking|telemetry|extensions)\./
/** Without all of these, what the control plane would say can not be worked out. */
const NEEDED_TO_JUDGE = [
  'core/Namespace',
  'core/Service',
  'networking.istio.io/ServiceEntry',
  'gateway.networking.k8s.io/Gateway',
  'gateway.networking.k8s.io/GatewayClass',
  'gateway.networking.k8s.io/ReferenceGrant',
] as const

/** The objects that are looked at: files laid over what the cluster has. */
export class Snapshot {
  readonly rootNamespace: string
  readonly domain: string
  readonly meshConfig: string
  /** Whether {@link judgement} says what the control plane would. */
  readonly canJudge: boolean
  readonly #coverage: ReadonlyMap<string, Coverage>
  readonly #byKind = new Map<string, Map<string, Sourced>>()
  #judgement: Judgement | undefined
  #workloads: readonly Workload[] | undefined
  readonly #mesh: MeshContext

  constructor(input: SnapshotInput) {
    const { rootNamespace = ROOT_NAMESPACE, domain = 'cluster.local', revision = 'default', meshConfig = '' } = input
    const settings = decodeMeshConfig(meshConfig, rootNamespace)
    const mesh = settings.ok ? settings.config : { rootNamespace, trustDomain: domain }
    this.rootNamespace = mesh.rootNamespace
    this.domain = domain
    this.meshConfig = meshConfig
    this.#coverage = input.coverage ?? new Map<string, Coverage>()
    this.canJudge = input.canJudge ?? NEEDED_TO_JUDGE.every((kind) => this.knows(kind))
    this.#mesh = { ...mesh, clusterId: 'Kubernetes', domain, network: '', dryRunEnabled: true }
    const scope = { rootNamespace: this.rootNamespace, revision, tags: new Set<string>(), discoverySelectors: [] }
    const put = (sourced: Sourced): void => {
      const kind = groupKindOf(sourced.object)
      const labels = sourced.object.metadata.labels ?? {}
      if (OF_REVISION.test(kind) && !coversRevision(scope, labels)) return
      const objects = this.#byKind.getOrInsertComputed(kind, () => new Map<string, Sourced>())
      const key = keyOf(sourced.object)
      objects.set(key, sourced.place === undefined ? sourced : asDeployed(sourced, objects.get(key)))
    }
    for (const object of input.cluster) put({ object })
    for (const sourced of input.files) put(sourced)
  }

  of(kind: string): readonly Sourced[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])]
  }

  find(kind: string, namespace: string, name: string): Sourced | undefined {
    return this.#byKind.get(kind)?.get(`${namespace}/${name}`)
  }

  /** Whether there is none although it would have been seen. */
  lacks(kind: string, namespace: string, name: string): boolean {
    return this.find(kind, namespace, name) === undefined && this.knows(kind, namespace)
  }

  /** Whether all objects of the kind, or those of the namespace, are here. */
  knows(kind: string, namespace?: string): boolean {
    const coverage = this.#coverage.get(kind) ?? 'all'
    return coverage === 'all' || (namespace !== undefined && coverage.has(namespace))
  }

  /** Whether a host that is not here would have been seen. */
  knowsHost(host: string): boolean {
    if (this.knows('core/Service') && this.knows('networking.istio.io/ServiceEntry')) return true
    const suffix = `.svc.${this.domain}`
    const namespace = host.endsWith(suffix) ? host.slice(0, -suffix.length).split('.')[1] : undefined
    return namespace !== undefined && this.knows('core/Service', namespace)
  }

  /** What the control plane would make of it all. */
  get judgement(): Judgement {
    this.#judgement ??= judgeObjects(this.#objects(), this.#mesh, (namespace, name) => {
      const secret = this.find('core/Secret', namespace, name)
      if (secret !== undefined) return decodeCredential(secret.object)
      return this.knows('core/Secret', namespace) ? missingCredential(namespace, name, 'does not exist') : undefined
    })
    return this.#judgement
  }

  /** Pods, and what the files would start. */
  get workloads(): readonly Workload[] {
    this.#workloads ??= [...this.#byKind].flatMap(([kind, objects]) =>
      [...objects.values()].flatMap((sourced) => workloadOf(kind, sourced) ?? []),
    )
    return this.#workloads
  }

  workloadsIn(namespace: string): readonly Workload[] {
    return this.workloads.filter((workload) => workload.namespace === namespace)
  }

  labelsOfNamespace(name: string): Readonly<Record<string, string>> {
    return this.find('core/Namespace', '', name)?.object.metadata.labels ?? {}
  }

  *#objects(): Iterable<KubeObject> {
    for (const objects of this.#byKind.values()) for (const { object } of objects.values()) yield object
  }
}

function keyOf({ metadata }: AnyObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
