import type { KubeObject } from '../contract.types.ts'
import type { JsonObject } from '../json.ts'
import type { ResourceDefinition } from '../resources/resource-definition.ts'
import { builtinColumns } from './builtin-columns.ts'
import { ageOf } from './duration.ts'
import { jsonPathValues } from './json-path.ts'

export type IncludeObject = 'None' | 'Metadata' | 'Object'

/** A `meta.k8s.io/v1` Table, what `kubectl get` prints. */
export function toTable(
  definition: ResourceDefinition,
  version: string,
  objects: readonly KubeObject[],
  listMeta: JsonObject,
  options: TableOptions,
): JsonObject {
  const { envelope, row } = tableParts(definition, version, listMeta, options)
  return { ...envelope, rows: objects.map(row) }
}

export interface TableOptions {
  readonly nowMs: number
  readonly include: IncludeObject
  readonly withColumns: boolean
}

/** A Table without its rows, and how an object becomes one. */
export function tableParts(
  definition: ResourceDefinition,
  version: string,
  listMeta: JsonObject,
  options: TableOptions,
): { readonly envelope: JsonObject; readonly row: (object: KubeObject) => JsonObject } {
  const { columnDefinitions, cells } = columnsOf(definition, version)
  const shown = options.withColumns ? columnDefinitions : null
  return {
    envelope: { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: listMeta, columnDefinitions: shown },
    row: (object) => ({
      cells: cells(object, options.nowMs),
      ...(options.include === 'None'
        ? {}
        : { object: options.include === 'Object' ? object : partialMetadata(object) }),
    }),
  }
}

/** Only type and metadata of an object. */
export function partialMetadata(object: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata }
}

function columnsOf(definition: ResourceDefinition, version: string) {
  const custom = definition.custom?.(version)
  if (custom === undefined) {
    const set = builtinColumns(definition.group, definition.kind)
    const columnDefinitions = set.columns.map((name) =>
      column(name.replace(/\*$/, ''), 'string', name.endsWith('*') ? 1 : 0, ''),
    )
    return { columnDefinitions, cells: (object: KubeObject, nowMs: number) => set.cells(object, nowMs) }
  }
  const own = custom.printerColumns
  const columnDefinitions = [
    column('Name', 'string', 0, ''),
    ...own.map((item) => column(item.name, item.type, item.priority ?? 0, item.description ?? '')),
  ]
  const cells = (object: KubeObject, nowMs: number): readonly unknown[] => [
    object.metadata.name,
    ...own.map((item) => {
      // Of several values Kubernetes shows the first.
      const [value] = jsonPathValues(object, item.jsonPath)
      if (value === undefined) return item.type === 'date' ? '<unknown>' : null
      if (item.type === 'date') return ageOf(value, nowMs)
      return typeof value === 'object' ? text(value) : value
    }),
  ]
  return { columnDefinitions, cells }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function column(name: string, type: string, priority: number, description: string): JsonObject {
  return { name, type, format: name === 'Name' ? 'name' : '', description, priority }
}
