import type { KubeObject } from '@ambit/kube'
import type { Meta } from '../domain.types.ts'
import { record, stringMap } from './json.ts'

export function decodeMeta(object: KubeObject): Meta {
  const { metadata } = object
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: stringMap(metadata.labels),
    annotations: stringMap(metadata.annotations),
    createdMs: Date.parse(metadata.creationTimestamp ?? '') || 0,
    generation: metadata.generation ?? 0,
  }
}

export function specOf(object: KubeObject): Readonly<Record<string, unknown>> {
  return record((object as { readonly spec?: unknown }).spec)
}

export function statusOfObject(object: KubeObject): Readonly<Record<string, unknown>> {
  return record((object as { readonly status?: unknown }).status)
}
