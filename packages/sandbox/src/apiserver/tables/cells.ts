import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, objectOf } from '../json.ts'
import { ageOf } from './duration.ts'

export interface ColumnSet {
  /** `Name`, `Age`, …; a trailing `*` shows only with -o wide. */
  readonly columns: readonly string[]
  cells(object: KubeObject, nowMs: number): readonly unknown[]
}

/** Members of an object or items of a list. */
export const count = (value: unknown): number => (isObject(value) ? Object.keys(value).length : arrayOf(value).length)
export const age = (object: KubeObject, nowMs: number): string => ageOf(object.metadata.creationTimestamp, nowMs)
export const number = (object: KubeObject, ...path: readonly string[]): number => Number(at(object, ...path) ?? 0)

export function selectorText(selector: unknown): string {
  const labels = objectOf(at(selector, 'matchLabels') ?? selector)
  const parts = Object.entries(labels)
    .filter(([key]) => key !== 'matchExpressions')
    .map(([key, value]) => `${key}=${String(value)}`)
  for (const item of arrayOf(at(selector, 'matchExpressions'))) {
    const values = arrayOf(at(item, 'values'))
    const operator = String(at(item, 'operator')).toLowerCase()
    parts.push(
      values.length > 0 ? `${String(at(item, 'key'))} ${operator} (${values.join(',')})` : String(at(item, 'key')),
    )
  }
  return parts.length > 0 ? parts.join(',') : '<none>'
}

/** Names and images of a workload's containers. */
export function containersText(object: KubeObject): readonly [string, string] {
  const containers = arrayOf(at(object, 'spec', 'template', 'spec', 'containers'))
  return [containers.map((item) => at(item, 'name')).join(','), containers.map((item) => at(item, 'image')).join(',')]
}
