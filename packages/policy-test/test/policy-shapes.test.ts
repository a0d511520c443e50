// Fields that are known here are those of the schemas that clusters have.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { POLICY_SHAPES, type Shape } from '../src/manifests/policy-shapes.ts'

const CRDS = join(import.meta.dirname, '../../../deploy/charts/base/files/crds')

interface Schema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
}

/** A schema in the words of shapes. */
function shapeOf({ type, enum: choices, properties, additionalProperties, items }: Schema): Shape {
  if (choices !== undefined) return { choices }
  if (type === 'string') return 'text'
  if (type === 'boolean') return 'boolean'
  if (type === 'array' && items?.type === 'string') return 'texts'
  if (type === 'array' && items !== undefined) return { list: shapeOf(items) }
  if (additionalProperties?.type === 'string') return 'labels'
  if (additionalProperties !== undefined) return { values: shapeOf(additionalProperties) }
  return { fields: fieldsOf(properties) }
}

function fieldsOf(properties: Schema['properties'] = {}): Readonly<Record<string, Shape>> {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, shapeOf(schema)]))
}

for (const [kind, plural] of [
  ['AuthorizationPolicy', 'authorizationpolicies'],
  ['PeerAuthentication', 'peerauthentications'],
  ['RequestAuthentication', 'requestauthentications'],
] as const) {
  test(`the fields of ${kind}`, (t) => {
    const crd = parse(readFileSync(join(CRDS, `security.istio.io_${plural}.yaml`), 'utf8')) as {
      spec: { versions: readonly { schema: { openAPIV3Schema: Schema } }[] }
    }
    t.true(crd.spec.versions.length > 0)
    for (const { schema } of crd.spec.versions)
      t.deepEqual(POLICY_SHAPES[kind], fieldsOf(schema.openAPIV3Schema.properties?.['spec']?.properties))
  })
}
