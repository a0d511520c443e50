// Holds our CRDs against the upstream ones and against the documents an API server must accept or refuse.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parseManifest } from '../../packages/cli/src/index.ts'
import { defineCustomResource } from '../../packages/sandbox/src/apiserver/crd/custom-resources.ts'
import { BuiltinTypes } from '../../packages/sandbox/src/apiserver/schema/builtin-types.ts'
import type { KubeObject } from '../../packages/sandbox/src/index.ts'

const root = join(import.meta.dirname, '../..')
const data = join(process.env['AMBIT_SHARED'] ?? join(root, '..', 'shared'), 'data')

interface Column {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
  readonly priority?: number
}
interface Version {
  readonly name: string
  readonly served: boolean
  readonly storage: boolean
  readonly deprecated?: boolean
  readonly subresources?: { readonly status?: object }
  readonly additionalPrinterColumns?: readonly Column[]
  readonly schema: { readonly openAPIV3Schema: Schema }
}
interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema | boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
}
interface CrdSpec {
  readonly group: string
  readonly scope: string
  readonly names: { readonly kind: string }
  readonly versions: readonly Version[]
}

/** Go's YAML reader takes an unquoted `x::]` for text, ours for a mapping. */
const readText = (path: string): string => readFileSync(path, 'utf8').replace(/([0-9a-f]+:[0-9a-f]+::)\]/g, '"$1"]')
const objectsIn = (folder: string, files: readonly string[]): readonly KubeObject[] =>
  files.flatMap((file) => parseManifest(readText(join(folder, file)), file) as unknown as KubeObject[])
const yamlIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'))
const specOf = (crd: KubeObject): CrdSpec => crd['spec'] as CrdSpec
const crdsIn = (folder: string): ReadonlyMap<string, KubeObject> =>
  new Map(
    objectsIn(folder, yamlIn(folder))
      .filter((object) => object.kind === 'CustomResourceDefinition')
      .map((crd) => [crd.metadata.name ?? '', crd]),
  )

const ours = crdsIn(join(root, 'deploy/crds'))
const upstream = existsSync(data) ? crdsIn(join(data, 'crds')) : new Map<string, KubeObject>()

test('every upstream CRD has one of ours and the other way round', (t) => {
  t.deepEqual([...ours.keys()].toSorted(), [...upstream.keys()].toSorted())
})

for (const [name, theirs] of upstream) {
  test(`${name}: names, scope, versions, columns and subresources are upstream’s`, (t) => {
    const crd = ours.get(name)
    if (crd === undefined) {
      t.fail()
      return
    }
    const [mine, other] = [specOf(crd), specOf(theirs)]
    t.deepEqual(mine.names, other.names)
    t.is(mine.scope, other.scope)
    const facts = (version: Version): object => ({
      name: version.name,
      served: version.served,
      storage: version.storage,
      deprecated: version.deprecated ?? false,
      status: version.subresources?.status !== undefined,
      // Columns of versions that are not served are shown to nobody.
      columns: version.served ? columnsOf(version) : [],
    })
    const sorted = (spec: CrdSpec): readonly object[] =>
      spec.versions.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(facts)
    t.deepEqual(sorted(mine), sorted(other))
  })
}

/** Kinds that components read: every field is there, of the type, values and duty that upstream gives it, and no other. */
const OPEN: ReadonlySet<string> = new Set([
  'backendtlspolicies.gateway.networking.k8s.io',
  'listenersets.gateway.networking.k8s.io',
  'tcproutes.gateway.networking.k8s.io',
  'tlsroutes.gateway.networking.k8s.io',
  'envoyfilters.networking.istio.io',
  'sidecars.networking.istio.io',
  'trafficextensions.extensions.istio.io',
  'wasmplugins.extensions.istio.io',
])
/** Fields of the experimental channel that are read here. */
const EXPERIMENTAL = /^spec\.rules\[\]\.retry/

for (const [name, theirs] of upstream) {
  if (OPEN.has(name)) continue
  test(`${name}: the fields are upstream’s`, (t) => {
    for (const version of specOf(theirs).versions.filter(({ served }) => served)) {
      const mine = specOf(ours.get(name) ?? theirs).versions.find((one) => one.name === version.name)
      t.deepEqual(fieldsOf(mine), fieldsOf(version), version.name)
    }
  })
}

/** What a schema says of each field below `spec`: type, allowed values, required members. */
function fieldsOf(version: Version | undefined): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {}
  const walk = (schema: Schema | undefined, path: string): void => {
    if (schema === undefined || EXPERIMENTAL.test(path)) return
    const type = schema.type ?? (schema['x-kubernetes-int-or-string'] === true ? 'int-or-string' : 'any')
    const open = schema['x-kubernetes-preserve-unknown-fields'] === true ? ' open' : ''
    const [values, required] = [schema.enum?.map(String).toSorted() ?? [], schema.required?.toSorted() ?? []]
    fields[path] = `${type}${open} ${values.join('|')} ${required.join(',')}`.trimEnd()
    for (const [member, inner] of Object.entries(schema.properties ?? {})) walk(inner, `${path}.${member}`)
    walk(schema.items, `${path}[]`)
    if (typeof schema.additionalProperties === 'object') walk(schema.additionalProperties, `${path}{}`)
  }
  walk(version?.schema.openAPIV3Schema.properties?.['spec'], 'spec')
  return fields
}

function columnsOf(version: Version): readonly Column[] {
  return (version.additionalPrinterColumns ?? []).map(({ name, type, jsonPath, priority }) => ({
    name,
    type,
    jsonPath,
    priority: priority ?? 0,
  }))
}

/** Reasons to refuse a document, as `field: message` lines; undefined when the CRD does not serve its version. */
function judge(crds: ReadonlyMap<string, KubeObject>, document: KubeObject): readonly string[] | undefined {
  const [group = '', version = ''] = document.apiVersion.split('/')
  const crd = [...crds.values()].find((one) => specOf(one).group === group && specOf(one).names.kind === document.kind)
  if (crd === undefined) return undefined
  const { definition } = defineCustomResource(crd, types, () => 0)
  const custom = definition.custom?.(version)
  if (custom === undefined) return undefined
  const object = structuredClone(document)
  const pruned = custom.prune(object)
  custom.applyDefaults(object)
  const causes = custom.validate(object, undefined)
  return [
    ...causes.map((cause) => `${cause.field}: ${cause.message}`),
    // kubectl asks for strict field validation: an unknown field is a refusal.
    ...pruned.map((field) => `unknown field "${field}"`),
  ]
}
const types = new BuiltinTypes()

test('no rule of ours is beyond the API server', (t) => {
  for (const [name, crd] of ours) t.deepEqual(defineCustomResource(crd, types, () => 0).unusable, [], name)
})

const validation = join(data, 'istio-crd-validation')
for (const file of existsSync(validation) ? readdirSync(validation) : []) {
  for (const [index, found] of objectsIn(validation, [file]).entries()) {
    const { _err: expected, ...document } = found as KubeObject & { readonly _err?: string }
    const kube: KubeObject = document
    test(`${file} ${index} ${kube.metadata.name}: ${expected === undefined ? 'accepted' : `refused: ${expected}`}`, (t) => {
      const reasons = judge(ours, kube)
      if (expected === undefined) t.deepEqual(reasons, [])
      else
        t.true(
          reasons?.some((reason) => reason.includes(expected)),
          `want ${expected}, got ${JSON.stringify(reasons)}`,
        )
    })
  }
}

/** Documents by others, all of which both sets of CRDs must judge alike. */
const SAMPLES: readonly string[] = ['istio-crd-validation', 'samples', 'istio-ambient-goldens']

test('sample documents are judged as by upstream’s CRDs', (t) => {
  let judged = 0
  for (const folder of SAMPLES) {
    const files = yamlIn(join(data, folder)).filter(
      (file) => folder !== 'istio-ambient-goldens' || file.endsWith('-in.yaml'),
    )
    for (const file of files) {
      for (const found of documentsIn(join(data, folder, file))) {
        const { _err: _, ...document } = found as KubeObject & { readonly _err?: string }
        const theirs = judge(upstream, document)
        if (theirs === undefined) continue
        judged++
        const mine = judge(ours, document)
        t.is(
          mine?.length === 0,
          theirs.length === 0,
          `${file}: ours ${JSON.stringify(mine)}, upstream ${JSON.stringify(theirs)}`,
        )
      }
    }
  }
  t.true(judged > 100, String(judged))
})

/** Some sample files hold things that are no objects; they are nobody's concern here. */
function documentsIn(path: string): readonly KubeObject[] {
  try {
    return parseManifest(readText(path), path)
  } catch {
    return []
  }
}
