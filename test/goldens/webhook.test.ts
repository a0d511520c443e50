// Outside documents: what the schemas let through is looked at by the validation webhook, and what is valid passes both.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parseManifest } from '../../packages/cli/src/index.ts'
import { validateObject } from '../../packages/controller/src/validation/validate-object.ts'
import { decodeDestinationRule } from '../../packages/controller/src/watch/decode-destination-rule.ts'
import { decodeVirtualService } from '../../packages/controller/src/watch/decode-virtual-service.ts'
import type { KubeObject } from '../../packages/kube/src/index.ts'

const data = join(process.env['AMBIT_SHARED'] ?? join(import.meta.dirname, '../../../shared'), 'data')
const DOCUMENTS = join(data, 'istio-crd-validation')
const SAMPLES = join(data, 'samples')

/** Refused by schemas alone: unknown words, wrong types, lengths. The webhook is never asked about them. */
const BY_SCHEMA: ReadonlySet<string> = new Set([
  'bad-port',
  'bad-target-name',
  'bad-target-group',
  'no-issuer',
  'bad-custom-metric',
  'empty-port-level',
])

/** Go's YAML reader takes an unquoted `x::]` for text, ours for a mapping. */
function objectsIn(folder: string, file: string): readonly (KubeObject & { readonly _err?: string })[] {
  const text = readFileSync(join(folder, file), 'utf8').replace(/([0-9a-f]+:[0-9a-f]+::)\]/g, '"$1"]')
  return parseManifest(text, file)
}

const errorsOf = (object: object): readonly string[] =>
  validateObject(object as Readonly<Record<string, unknown>>).errors

for (const file of existsSync(DOCUMENTS) ? readdirSync(DOCUMENTS) : [])
  test(file, (t) => {
    const refused = file.endsWith('-invalid.yaml')
    for (const object of objectsIn(DOCUMENTS, file)) {
      const errors = errorsOf(object)
      const { name } = object.metadata
      if (!refused) t.deepEqual(errors, [], name)
      else if (!BY_SCHEMA.has(name)) t.not(errors.length, 0, `${file}: ${name} (${object._err}) is let through`)
    }
  })

const samples = existsSync(SAMPLES)
  ? readdirSync(SAMPLES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'))
  : []
for (const file of samples)
  test(`sample ${file} is allowed`, (t) => {
    for (const object of objectsIn(SAMPLES, file)) t.deepEqual(errorsOf(object), [], object.metadata.name)
  })

/** What of a rule would not be followed. */
function leftOut(object: KubeObject): readonly string[] {
  if (object.kind === 'DestinationRule') return decodeDestinationRule(object, 'cluster.local').notes
  if (object.kind !== 'VirtualService') return []
  const { http, notes } = decodeVirtualService(object, 'cluster.local')
  return [...notes, ...http.flatMap(({ effects }) => effects.problems)]
}

for (const file of samples.filter((one) => one.includes('networking')))
  test(`sample ${file} is followed as written`, (t) => {
    for (const object of objectsIn(SAMPLES, file)) t.deepEqual(leftOut(object), [], object.metadata.name)
  })
