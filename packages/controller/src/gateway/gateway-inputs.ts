import { LABELS } from '@ambit/api'
import type { Logger } from '@ambit/core'
import { KINDS, type KubeClient, type KubeObject, type ReadonlyObjectSet, watchObjects } from '@ambit/kube'
import type { ConfigMap } from '../ca/root-cert-config-map.ts'
import type { ControllerConfig } from '../config.ts'
import type { MeshIndex } from '../index/mesh-index.ts'
import { meshConfigName } from '../mesh/follow-mesh.ts'
import type { ClusterWatch } from '../watch/watch-cluster.ts'
import { decodeGatewayRequest } from './decode-gateway-request.ts'
import type { GatewayRequest } from './gateway.types.ts'
import { type BuiltinClass, classOf } from './gateway-classes.ts'
import { decodeInstallSettings, type SettingsVerdict, valuesConfigMapName } from './install-settings.ts'
import { type OverlayVerdict, overlaysOf, trimToOverlays } from './overlays.ts'
import { isOurRevision, revisionOf } from './revision.ts'

/** A Gateway that is this control plane's to look after. */
export interface OurGateway {
  readonly object: KubeObject
  readonly gateway: GatewayRequest
  readonly cls: BuiltinClass
}

type Sets = Pick<ClusterWatch['sets'], 'gateway' | 'gatewayClass' | 'namespace' | 'service' | 'endpointSlice'>

export interface GatewayInputParts {
  readonly config: Pick<ControllerConfig, 'revision' | 'namespace' | 'domain' | 'clusterId'>
  readonly client: KubeClient
  readonly cluster: Pick<ClusterWatch, 'covers'> & { readonly sets: Sets }
  readonly index: Pick<MeshIndex, 'state'>
  readonly meshConfigs: ReadonlyObjectSet<ConfigMap>
  readonly logger: Logger
}

/** What deployment and status of Gateways are decided from. */
export class GatewayInputs {
  readonly #parts: GatewayInputParts
  readonly #values: ReadonlyObjectSet<ConfigMap>
  readonly #overlays: ReadonlyObjectSet<ConfigMap>

  constructor(parts: GatewayInputParts, signal: AbortSignal) {
    this.#parts = parts
    const { client, config, logger } = parts
    this.#values = watchObjects<ConfigMap>({
      client,
      kind: KINDS.configMap,
      namespace: config.namespace,
      fieldSelector: `metadata.name=${valuesConfigMapName(config)}`,
      signal,
      logger,
    })
    this.#overlays = watchObjects<ConfigMap>({
      client,
      kind: KINDS.configMap,
      signal,
      logger,
      trim: trimToOverlays,
    })
  }

  get synced(): Promise<unknown> {
    return Promise.all([this.#values.synced, this.#overlays.synced])
  }

  /** By `namespace/name`; undefined: gone, or another controller's or revision's. */
  ours(key: string): OurGateway | undefined {
    const [namespace = '', name = ''] = key.split('/')
    const { cluster, config } = this.#parts
    const object = cluster.sets.gateway.get(namespace, name)
    if (object === undefined || !cluster.covers(object)) return undefined
    const gateway = decodeGatewayRequest(object)
    const cls = classOf(gateway.className, cluster.sets.gatewayClass.get(undefined, gateway.className))
    if (cls === undefined) return undefined
    const namespaceLabels = cluster.sets.namespace.get(undefined, namespace)?.metadata.labels
    const revision = revisionOf(gateway.labels, namespaceLabels)
    const rootServices = cluster.sets.service.inNamespace(config.namespace)
    return isOurRevision(revision, config.revision, rootServices) ? { object, gateway, cls } : undefined
  }

  settings(): SettingsVerdict {
    const { config, index, meshConfigs } = this.#parts
    const values = this.#values.get(config.namespace, valuesConfigMapName(config))?.data?.['values']
    const mesh = meshConfigs.get(config.namespace, meshConfigName(config))?.data?.['mesh']
    return decodeInstallSettings(values, mesh, { config, mesh: index.state.mesh })
  }

  overlays(gateway: GatewayRequest): OverlayVerdict {
    return overlaysOf(gateway, {
      classDefaults: this.#overlays.inNamespace(this.#parts.index.state.mesh.rootNamespace),
      own: (namespace, name) => this.#overlays.get(namespace, name),
    })
  }

  /** Calls back with the keys of Gateways whose deployment may have to change; all there are first. */
  follow(touch: (key: string) => void): Disposable {
    const { cluster, config, meshConfigs } = this.#parts
    const { sets } = cluster
    const cleanup = new DisposableStack()
    const all = (): void => {
      for (const gateway of sets.gateway) touch(keyOf(gateway))
    }
    const inNamespace = (name: string): void => {
      for (const gateway of sets.gateway.inNamespace(name)) touch(keyOf(gateway))
    }
    const touched = (gateway: KubeObject): void => touch(keyOf(gateway))
    const root = (): string => this.#parts.index.state.mesh.rootNamespace
    const namespaceChanged = ({ metadata: { name } }: KubeObject): void =>
      name === root() || name === config.namespace ? all() : inNamespace(name)
    const overlayChanged = ({ metadata: { namespace = '' } }: KubeObject): void =>
      namespace === root() ? all() : inNamespace(namespace)
    // Tags of revisions are Services of the root namespace.
    const tagChanged = ({ metadata }: KubeObject): void => {
      if (metadata.namespace === config.namespace && metadata.labels?.[LABELS.revision] !== undefined) all()
    }
    cleanup.use(sets.gateway.subscribe({ add: touched, update: touched, delete: touched }))
    cleanup.use(sets.gatewayClass.subscribe({ add: all, update: all, delete: all }))
    cleanup.use(
      sets.namespace.subscribe({
        update: (after, before) => {
          if (JSON.stringify(after.metadata.labels) !== JSON.stringify(before.metadata.labels)) namespaceChanged(after)
        },
      }),
    )
    cleanup.use(sets.service.subscribe({ add: tagChanged, update: tagChanged, delete: tagChanged }))
    cleanup.use(this.#values.subscribe({ add: all, update: all, delete: all }))
    cleanup.use(meshConfigs.subscribe({ add: all, update: all }))
    cleanup.use(
      this.#overlays.subscribe({
        // Those of the start are in before anything is decided; maps come and go by the hundred, few are overlays.
        add: (map) => isOverlay(map) && overlayChanged(map),
        update: (after, before) => (isOverlay(after) || isOverlay(before)) && overlayChanged(after),
        delete: (map) => isOverlay(map) && overlayChanged(map),
      }),
    )
    return cleanup
  }
}

export function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}

function isOverlay({ data }: ConfigMap): boolean {
  return Object.keys(data ?? {}).length > 0
}
