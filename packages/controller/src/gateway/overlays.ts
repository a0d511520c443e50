import { messageOf } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import { parse } from 'yaml'
import type { ConfigMap } from '../ca/root-cert-config-map.ts'
import { MAX_OVERLAY_BYTES } from '../limits.ts'
import { isRecord, type Json, record, stringMap } from '../watch/json.ts'
import type { GatewayRequest, RenderedObject } from './gateway.types.ts'
import type { RenderedGateway } from './render-gateway.ts'
import { strategicMerge } from './strategic-merge.ts'

/** On a ConfigMap of the root namespace: it changes all Gateways of the class. */
export const CLASS_DEFAULTS_LABEL = 'gateway.istio.io/defaults-for-class'

type OverlayKey = keyof RenderedGateway
/** Keys of a ConfigMap of overlays, each a YAML patch of one kind, in the order of application. */
export const OVERLAY_KEYS: readonly OverlayKey[] = [
  'serviceAccount',
  'service',
  'deployment',
  'horizontalPodAutoscaler',
  'podDisruptionBudget',
]
/** Made only when some overlay speaks of them. */
const ON_REQUEST: ReadonlySet<OverlayKey> = new Set(['horizontalPodAutoscaler', 'podDisruptionBudget'])

export type OverlayVerdict =
  | { readonly ok: true; readonly overlays: readonly ConfigMap[] }
  | { readonly ok: false; readonly reason: string }

export type RenderVerdict =
  | { readonly ok: true; readonly objects: readonly RenderedObject[] }
  | { readonly ok: false; readonly reason: string }

/** The ConfigMaps that change what is made for the Gateway: the class's, then its own. */
export function overlaysOf(
  gateway: GatewayRequest,
  maps: {
    readonly classDefaults: Iterable<ConfigMap>
    readonly own: (namespace: string, name: string) => ConfigMap | undefined
  },
): OverlayVerdict {
  // By name, so that two that contradict each other always end the same way.
  const defaults = [...maps.classDefaults]
    .filter(({ metadata }) => metadata.labels?.[CLASS_DEFAULTS_LABEL] === gateway.className)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const reference = gateway.parametersRef
  if (reference === undefined) return { ok: true, overlays: defaults }
  if (reference.group !== '' || reference.kind !== 'ConfigMap')
    return {
      ok: false,
      reason: `Unsupported parametersRef group/kind ${reference.group}/${reference.kind}, only ConfigMap is supported`,
    }
  const own = maps.own(gateway.namespace, reference.name)
  if (own === undefined)
    return { ok: false, reason: `parametersRef ConfigMap ${gateway.namespace}/${reference.name} does not exist` }
  return { ok: true, overlays: [...defaults, own] }
}

/**
 * The objects to apply, overlays merged in. What an overlay says about an object's place, kind and owner is not taken:
 * with the controller's rights it could otherwise write anywhere.
 */
export function applyOverlays(rendered: RenderedGateway, overlays: readonly ConfigMap[]): RenderVerdict {
  const objects: RenderedObject[] = []
  for (const key of OVERLAY_KEYS) {
    const base = rendered[key]
    if (base === undefined) continue
    let object = base
    let spoken = false
    for (const overlay of overlays) {
      const patch = overlay.data?.[key]
      if (patch === undefined) continue
      const verdict = merge(object, patch)
      const { namespace = '', name } = overlay.metadata
      if (!verdict.ok) return { ok: false, reason: `ConfigMap ${namespace}/${name} key ${key}: ${verdict.reason}` }
      object = pinned(verdict.value, base)
      spoken = true
    }
    if (spoken || !ON_REQUEST.has(key)) objects.push(object)
  }
  return { ok: true, objects }
}

function merge(object: RenderedObject, patch: string): ReturnType<typeof strategicMerge> {
  if (Buffer.byteLength(patch) > MAX_OVERLAY_BYTES)
    return { ok: false, reason: `longer than ${MAX_OVERLAY_BYTES} bytes` }
  try {
    const value: unknown = parse(patch, { logLevel: 'error' }) ?? {}
    if (!isRecord(value)) return { ok: false, reason: 'not a YAML object' }
    return strategicMerge(object, value)
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
}

/** Which pods and which Deployment an object is about. */
const PINNED_SPEC: ReadonlySet<string> = new Set(['selector', 'scaleTargetRef'])

/** Place, kind, owner and ownership marks as rendered, and what the object is about. */
function pinned(value: Json, base: RenderedObject): RenderedObject {
  const metadata = record(value['metadata'])
  const { name, namespace, labels } = base.metadata
  const { status: _, ...rest } = value
  const object = {
    ...rest,
    apiVersion: base.apiVersion,
    kind: base.kind,
    metadata: {
      labels: { ...stringMap(metadata['labels']), ...tiesOf(labels) },
      annotations: stringMap(metadata['annotations']),
      ownerReferences: base.metadata['ownerReferences'],
      name,
      namespace,
    },
  }
  const fixed = Object.entries(record(base['spec'])).filter(([key]) => PINNED_SPEC.has(key))
  return fixed.length === 0 ? object : { ...object, spec: { ...record(rest['spec']), ...Object.fromEntries(fixed) } }
}

function tiesOf(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(labels).filter(
      ([key]) => key.startsWith('gateway.networking.k8s.io/') || key === 'gateway.istio.io/managed',
    ),
  )
}

/** Of a ConfigMap only what may be an overlay is kept: there are many, and most are none of ours. */
export function trimToOverlays(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = object
  const { namespace, name, resourceVersion, labels } = metadata
  const data = record((object as ConfigMap).data)
  const kept = OVERLAY_KEYS.flatMap((key) => {
    const text = data[key]
    return typeof text === 'string' ? [[key, text.slice(0, MAX_OVERLAY_BYTES + 1)] as const] : []
  })
  const trimmed: ConfigMap = {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
    },
    data: Object.fromEntries(kept),
  }
  return trimmed
}
