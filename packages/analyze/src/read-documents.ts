import { LineCounter, parseAllDocuments } from 'yaml'
import { list, type Path, record, text } from './field.ts'
import { MAX_ALIASES, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_LIST_DEPTH } from './limits.ts'
import type { AnyObject, Position, Sourced } from './source.types.ts'

/** Something in a file that is no object of Kubernetes. */
export interface FileProblem {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly message: string
  /** A document of something else, such as Helm's values or a Kustomization: nothing of the cluster is lost with it. */
  readonly isForeign?: boolean | undefined
}

export interface ReadFile {
  readonly objects: readonly Sourced[]
  readonly problems: readonly FileProblem[]
}

type Document = ReturnType<typeof parseAllDocuments>[number]

/** Reads the objects of a file, YAML or JSON. What is wrong in one document takes nothing from the others. */
export function readDocuments(file: string, content: string, namespace: string): ReadFile {
  const start = { file, line: 1, column: 1 }
  if (content.length > MAX_FILE_BYTES)
    return { objects: [], problems: [{ ...start, message: `the file is larger than ${MAX_FILE_BYTES} bytes` }] }
  const lines = new LineCounter()
  const documents = parseAllDocuments(content, { lineCounter: lines, logLevel: 'silent' })
  if (!Array.isArray(documents)) return { objects: [], problems: [] }
  const problems: FileProblem[] = []
  const objects: Sourced[] = []
  if (documents.length > MAX_DOCUMENTS)
    problems.push({ ...start, message: `the file has more than ${MAX_DOCUMENTS} documents, those after are not read` })
  for (const document of documents.slice(0, MAX_DOCUMENTS)) {
    const [error] = document.errors
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0])
      problems.push({ file, line, column: col, message: firstLine(error.message) })
      continue
    }
    const place = placesIn(document, lines)
    take(document, place, [])
  }
  return { objects, problems }

  function take(document: Document, positionOf: (path: Path) => Position, at: Path): void {
    let value: unknown
    try {
      value = document.toJS({ maxAliasCount: MAX_ALIASES })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      problems.push({ file, line: positionOf(at).line, column: 1, message })
      return
    }
    // Between two marks there may be nothing, or a remark: templates leave such documents.
    if (value === null) return
    takeValue(value, positionOf, at, 0)
  }

  function takeValue(value: unknown, positionOf: (path: Path) => Position, at: Path, depth: number): void {
    const { apiVersion, kind, items, metadata } = record(value)
    if (text(kind).endsWith('List') && Array.isArray(items) && depth < MAX_LIST_DEPTH) {
      for (const [i, item] of list(items).entries()) takeValue(item, positionOf, [...at, 'items', i], depth + 1)
      return
    }
    const { line } = positionOf(at)
    const missing = missingIn(apiVersion, kind, metadata)
    if (missing !== undefined) {
      problems.push({ file, line, column: 1, message: missing, ...(isForeign(value) ? { isForeign: true } : {}) })
      return
    }
    const object = withNamespace(value as AnyObject, namespace)
    const place = (path: Path): Position => positionOf([...at, ...path])
    objects.push({ object, place: { file, line, lineOf: (path) => place(path).line, positionOf: place } })
  }
}

function isForeign(value: unknown): boolean {
  const { apiVersion, kind } = record(value)
  return text(apiVersion) === '' || text(kind) === '' || text(apiVersion).startsWith('kustomize.config.k8s.io/')
}

function missingIn(apiVersion: unknown, kind: unknown, metadata: unknown): string | undefined {
  if (text(apiVersion) === '') return 'this is no Kubernetes object: it has no apiVersion'
  if (text(kind) === '') return 'this is no Kubernetes object: it has no kind'
  if (text(record(metadata)['name']) === '') return 'this is no Kubernetes object: it has no metadata.name'
  return undefined
}

/** Kinds without a namespace that are read here; of others a missing namespace means the one asked for. */
const CLUSTER_WIDE: ReadonlySet<string> = new Set([
  'Namespace',
  'Node',
  'GatewayClass',
  'CustomResourceDefinition',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
  'ClusterRole',
  'ClusterRoleBinding',
  'PersistentVolume',
  'StorageClass',
  'PriorityClass',
  'IngressClass',
])

function withNamespace(object: AnyObject, namespace: string): AnyObject {
  const { metadata, kind } = object
  if (CLUSTER_WIDE.has(kind) || text(metadata.namespace) !== '') return object
  return { ...object, metadata: { ...metadata, namespace } }
}

/** Positions of fields; of one that is not there, that of the nearest around it. */
function placesIn(document: Document, lines: LineCounter): (path: Path) => Position {
  const offsetOf = (node: unknown): number | undefined => {
    const range = record(node)['range']
    return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined
  }
  return (path) => {
    for (let length = path.length; length >= 0; length--) {
      const offset = keyOffset(document, path.slice(0, length)) ?? offsetOf(document.getIn(path.slice(0, length), true))
      if (offset === undefined) continue
      const { line, col } = lines.linePos(offset)
      return { line, column: col }
    }
    return { line: 1, column: 1 }
  }
}

/** A field begins where its name does, not where its value does. */
function keyOffset(document: Document, path: Path): number | undefined {
  const name = path.at(-1)
  if (typeof name !== 'string') return undefined
  const around: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
  const pairs = (around as { readonly items?: unknown } | undefined)?.items
  for (const pair of list(pairs)) {
    const { key } = record(pair) as { readonly key?: { readonly value?: unknown; readonly range?: readonly number[] } }
    if (key?.value === name) return key.range?.[0]
  }
  return undefined
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '')
}
