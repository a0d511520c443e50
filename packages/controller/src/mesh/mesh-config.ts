import { DEFAULT_TRUST_DOMAIN, messageOf } from '@ambit/core'
import { parse } from 'yaml'
import type { MeshConfig } from '../domain.types.ts'
import { isRecord, text } from '../watch/json.ts'

export const DEFAULT_ROOT_NAMESPACE = 'istio-system'

export type MeshConfigVerdict =
  | { readonly ok: true; readonly config: MeshConfig }
  | { readonly ok: false; readonly reason: string }

/** The `mesh` key of the ConfigMap `istio`. Text that is no YAML object is refused: the last good one stays. */
export function decodeMeshConfig(yaml: string | undefined, fallbackRoot: string): MeshConfigVerdict {
  let value: unknown
  try {
    value = parse(yaml ?? '') ?? {}
  } catch (error) {
    return { ok: false, reason: messageOf(error) }
  }
  if (!isRecord(value)) return { ok: false, reason: 'not a YAML object' }
  const trustDomain = text(value['trustDomain']) || DEFAULT_TRUST_DOMAIN
  if (trustDomain.includes('/'))
    return { ok: false, reason: `trustDomain ${JSON.stringify(trustDomain)} holds a slash` }
  return { ok: true, config: { rootNamespace: text(value['rootNamespace']) || fallbackRoot, trustDomain } }
}
