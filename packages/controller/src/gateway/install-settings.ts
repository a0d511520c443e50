import { messageOf } from '@ambit/core'
import { parse } from 'yaml'
import type { ControllerConfig } from '../config.ts'
import type { MeshContext } from '../domain.types.ts'
import { isRecord, type Json, list, record, stringMap, text } from '../watch/json.ts'
import type { InstallSettings } from './gateway.types.ts'

export type SettingsVerdict =
  | { readonly ok: true; readonly settings: InstallSettings }
  | { readonly ok: false; readonly reason: string }

/** As Istio's charts set them for waypoints and proxies. */
const DEFAULT_RESOURCES: Json = {
  requests: { cpu: '100m', memory: '128Mi' },
  limits: { cpu: '2', memory: '1Gi' },
}
const PLACEMENT_FIELDS = ['affinity', 'nodeSelector', 'tolerations', 'topologySpreadConstraints'] as const

/** ConfigMap that carries the values of the installation; revisions have their own. */
export function valuesConfigMapName({ revision }: Pick<ControllerConfig, 'revision'>): string {
  return revision === 'default' ? 'istio-sidecar-injector' : `istio-sidecar-injector-${revision}`
}

/**
 * What holds for every waypoint and gateway: `values` of the installation's ConfigMap and `defaultConfig` of the mesh. Without
 * readable values nothing is deployed or changed: a guessed image would restart every one.
 */
export function decodeInstallSettings(
  values: string | undefined,
  mesh: string | undefined,
  context: {
    readonly config: Pick<ControllerConfig, 'revision' | 'namespace' | 'domain' | 'clusterId'>
    readonly mesh: Pick<MeshContext, 'network' | 'trustDomain'>
  },
): SettingsVerdict {
  if (values === undefined) return { ok: false, reason: 'it is not there, or has no key values' }
  let parsed: unknown
  let meshConfig: unknown
  try {
    parsed = JSON.parse(values)
    meshConfig = parse(mesh ?? '', { logLevel: 'error' })
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
  if (!isRecord(parsed)) return { ok: false, reason: 'its values are no JSON object' }
  const { config } = context
  const global = record(parsed['global'])
  const proxy = record(global['proxy'])
  const image = imageOf(global, proxy)
  if (image === undefined) return { ok: false, reason: 'its values lack global.hub, global.tag or global.proxy.image' }
  const waypoint = record(global['waypoint'])
  const suffix = config.revision === 'default' ? '' : `-${config.revision}`
  const controlPlane = `istiod${suffix}.${config.namespace}.svc:15012`
  const proxyConfig = { discoveryAddress: controlPlane, ...record(record(meshConfig)['defaultConfig']) }
  return {
    ok: true,
    settings: {
      image,
      imagePullPolicy: text(global['imagePullPolicy']) || undefined,
      imagePullSecrets: list(global['imagePullSecrets']).flatMap((entry) => {
        const name = text(entry) ?? text(record(entry)['name'])
        return name ? [name] : []
      }),
      revision: config.revision,
      clusterId: text(record(global['multiCluster'])['clusterName']) || config.clusterId,
      domain: config.domain,
      network: text(global['network']) || context.mesh.network,
      meshId: text(global['meshID']) || context.mesh.trustDomain,
      trustDomain: context.mesh.trustDomain,
      caAddress: text(global['caAddress']) || controlPlane,
      proxyConfig,
      proxyMetadata: stringMap(record(proxyConfig)['proxyMetadata']),
      logLevel: text(proxy['logLevel']) || 'warning',
      componentLogLevel: text(proxy['componentLogLevel']) || 'misc:error',
      logging: text(record(global['logging'])['level']) || 'default:info',
      logAsJson: global['logAsJson'] === true,
      resources: isRecord(waypoint['resources']) ? waypoint['resources'] : DEFAULT_RESOURCES,
      gatewayResources: isRecord(proxy['resources']) ? proxy['resources'] : DEFAULT_RESOURCES,
      placement: Object.fromEntries(
        PLACEMENT_FIELDS.filter((field) => isFilled(waypoint[field])).map((field) => [field, waypoint[field]]),
      ),
    },
  }
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isRecord(value) && Object.keys(value).length > 0
}

/** `hub/image:tag`; an image with a slash is complete already. */
function imageOf(global: Json, proxy: Json): string | undefined {
  const image = text(proxy['image'])
  if (!image) return undefined
  if (image.includes('/')) return image
  const hub = text(global['hub'])
  const tag = text(global['tag']) ?? (typeof global['tag'] === 'number' ? String(global['tag']) : undefined)
  return hub && tag ? `${hub}/${image}:${tag}` : undefined
}
