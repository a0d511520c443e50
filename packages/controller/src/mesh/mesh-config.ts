import { DEFAULT_TRUST_DOMAIN, messageOf } from '@ambit/core'
import { parse } from 'yaml'
import type { MeshConfig } from '../domain.types.ts'
import { isRecord, list, text } from '../watch/json.ts'
import { decodeLabelSelector, type LabelSelector } from '../watch/label-selector.ts'
import { decodeWaypointDefaults } from './waypoint-defaults.ts'

export const DEFAULT_ROOT_NAMESPACE = 'istio-system'

export type MeshConfigVerdict =
  | { readonly ok: true; readonly config: MeshConfig; readonly discoverySelectors: readonly LabelSelector[] }
  | { readonly ok: false; readonly reason: string }

/** The `mesh` key of the ConfigMap `istio`. Text that is no YAML object is refused: the last good one stays. */
export function decodeMeshConfig(yaml: string | undefined, fallbackRoot: string): MeshConfigVerdict {
  let value: unknown
  try {
    // Of doubts about the text the verdict says enough.
    value = parse(yaml ?? '', { logLevel: 'error' }) ?? {}
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
  if (!isRecord(value)) return { ok: false, reason: 'not a YAML object' }
  const trustDomain = text(value['trustDomain']) || DEFAULT_TRUST_DOMAIN
  if (trustDomain.includes('/'))
    return { ok: false, reason: `trustDomain ${JSON.stringify(trustDomain)} holds a slash` }
  const discoverySelectors: LabelSelector[] = []
  const written = value['discoverySelectors'] ?? []
  for (const entry of Array.isArray(written) ? list(written) : [written]) {
    const selector = decodeLabelSelector(entry)
    if (selector === undefined) return { ok: false, reason: 'discoverySelectors holds what is no label selector' }
    discoverySelectors.push(selector)
  }
  const waypoints = decodeWaypointDefaults(value)
  if (!waypoints.ok) return waypoints
  return {
    ok: true,
    discoverySelectors,
    config: {
      rootNamespace: text(value['rootNamespace']) || fallbackRoot,
      trustDomain,
      waypoints: waypoints.defaults,
    },
  }
}
