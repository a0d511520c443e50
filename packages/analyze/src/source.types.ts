import type { KubeObject } from '@ambit/kube'
import type { Json, Path } from './field.ts'

/** An object with what a Kubernetes object usually has. */
export interface AnyObject extends KubeObject {
  readonly spec?: unknown
  readonly status?: unknown
}

/** Counted from one. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Where in a file an object stands. */
export interface FilePlace {
  readonly file: string
  /** Of its first line. */
  readonly line: number
  /** Of a field, or of the nearest one around it that is there. */
  readonly lineOf: (path: Path) => number
  readonly positionOf: (path: Path) => Position
}

/** An object, and where it is from; without a place: from the cluster. */
export interface Sourced {
  readonly object: AnyObject
  readonly place?: FilePlace | undefined
}

export function specOf({ object }: Sourced): Json {
  const { spec } = object
  return typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? (spec as Json) : {}
}

export function namespaceOf({ object }: Sourced): string {
  return object.metadata.namespace ?? ''
}

/** `namespace/name`; of what has no namespace, the name. */
export function fullNameOf({ object: { metadata } }: Sourced): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}
