import { LABELS } from '@ambit/api'
import type { Logger } from '@ambit/core'
import type { ReadonlyObjectSet } from '@ambit/kube'
import type { ConfigMap } from '../ca/root-cert-config-map.ts'
import type { ControllerConfig } from '../config.ts'
import type { MeshConfig } from '../domain.types.ts'
import type { MeshIndex } from '../index/mesh-index.ts'
import type { ClusterWatch } from '../watch/watch-cluster.ts'
import { decodeMeshConfig } from './mesh-config.ts'

/** ConfigMap of the mesh-wide settings; revisions have their own. */
export function meshConfigName(config: Pick<ControllerConfig, 'revision'>): string {
  return config.revision === 'default' ? 'istio' : `istio-${config.revision}`
}

/** The mesh-wide settings follow their ConfigMap and the root namespace's network label. */
export function followMesh(parts: {
  readonly config: ControllerConfig
  readonly index: MeshIndex
  readonly meshConfigs: ReadonlyObjectSet<ConfigMap>
  readonly cluster: Pick<ClusterWatch, 'sets' | 'discover'>
  readonly logger: Logger
}): void {
  const { config, index, meshConfigs, cluster, logger } = parts
  const namespaces = cluster.sets.namespace
  let mesh: MeshConfig = index.state.mesh
  const set = (): void => {
    const network = namespaces.get(undefined, mesh.rootNamespace)?.metadata.labels?.[LABELS.network] ?? ''
    index.setMesh({ ...index.state.mesh, ...mesh, network })
  }
  const read = (map: ConfigMap | undefined): void => {
    const verdict = decodeMeshConfig(map?.data?.['mesh'], config.namespace)
    if (verdict.ok) {
      mesh = verdict.config
      cluster.discover({ rootNamespace: mesh.rootNamespace, discoverySelectors: verdict.discoverySelectors })
    } else logger.error(`ConfigMap ${config.namespace}/${meshConfigName(config)} key mesh not taken: ${verdict.reason}`)
    set()
  }
  meshConfigs.subscribe({ add: read, update: read, delete: () => read(undefined) })
  namespaces.subscribe({ add: set, update: set, delete: set })
}
