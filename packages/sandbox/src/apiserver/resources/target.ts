import type { KubeObject } from '../contract.types.ts'
import { apiVersionOf, type ResourceDefinition } from './resource-definition.ts'

/** A resource in the version that a request uses. */
export interface Target {
  readonly definition: ResourceDefinition
  readonly version: string
  readonly namespace: string | undefined
  readonly name: string
  readonly subresource?: 'status' | 'finalize' | 'ephemeralcontainers' | undefined
}

/** The object as a version of its kind shows it; `old` is its stored state where it is being changed. */
export function inVersion(
  object: KubeObject,
  target: Pick<Target, 'definition' | 'version'>,
  old?: KubeObject,
): KubeObject {
  const { definition, version } = target
  const apiVersion = apiVersionOf(definition.group, version)
  if (object.apiVersion === apiVersion) return object
  return definition.convert === undefined ? { ...object, apiVersion } : definition.convert(object, version, old)
}

/** Kinds whose versions differ are worked on in the stored one. */
export function storedTarget(asked: Target): Target {
  const [stored = asked.version] = asked.definition.versions
  return asked.definition.convert === undefined ? asked : { ...asked, version: stored }
}
