import type { KubeObject } from '../contract.types.ts'
import type { JsonObject } from '../json.ts'
import type { TypeNode } from '../schema/type-node.ts'
import type { StatusCause } from '../status-error.ts'

export interface PrinterColumn {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
  readonly priority?: number | undefined
  readonly description?: string | undefined
}

/** What a CRD's version adds to a kind; the compiled schema hides behind functions. */
export interface CustomVersion {
  /** OpenAPI v3 schema as written, for /openapi/v3. */
  readonly schema: JsonObject
  readonly type: TypeNode
  readonly printerColumns: readonly PrinterColumn[]
  /** Drops what the schema doesn't know; returns the dropped paths. */
  prune(object: KubeObject): readonly string[]
  applyDefaults(object: KubeObject): void
  validate(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[]
}

/**
 * Makes an object of one served version one of another; `old` is the stored state of an object that is being changed,
 * for what the sent version can't say.
 */
export type Convert = (object: KubeObject, version: string, old?: KubeObject) => KubeObject

/** Paths of members: the replicas that are wanted, that are there, and the selector of their pods. */
export interface ScalePaths {
  readonly spec: readonly string[]
  readonly status: readonly string[]
  readonly selector: readonly string[] | undefined
}

/** One served resource: a row of discovery. */
export interface ResourceDefinition {
  readonly group: string
  readonly kind: string
  readonly resource: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** Served versions, the preferred one first; with `convert` that is the stored one. */
  readonly versions: readonly string[]
  /** Writing through the main path leaves status alone, and the other way round. */
  readonly status: ReadonlySet<string>
  /** Where a Scale finds what it shows, in a version that has one. */
  scale(version: string): ScalePaths | undefined
  type(version: string): TypeNode
  custom?(version: string): CustomVersion | undefined
  /** Absent: versions differ only in their name. */
  readonly convert?: Convert | undefined
}

/** `apiVersion` of a group and version. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`
}

/** Storage key of a resource, the same for all its versions. */
export function storageKey(definition: { readonly group: string; readonly resource: string }): string {
  return `${definition.group}/${definition.resource}`
}

/** Verbs that discovery lists for every stored resource. */
export const STORED_VERBS: readonly string[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
]
