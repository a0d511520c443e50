// Holds docs/authorization.md and the tests it names together.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { waypointpb as pb } from '@ambit/api'
import test from 'ava'
import { ROWS, titleOf } from './authorization-rows.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const document = readFileSync(join(root, 'docs', 'authorization.md'), 'utf8')

/** The last cells of the table rows that name tests. */
const namedTests = document
  .split('\n')
  .filter((line) => line.startsWith('|') && line.includes('`') && !line.startsWith('| mode'))
  .map((line) => line.split('|').at(-2) ?? '')
  .filter((cell) => cell.startsWith(' `'))
  .flatMap((cell) => cell.split('<br>').map((title) => title.trim().slice(1, -1)))

function sourcesIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, folder, file), 'utf8'))
}

test('every test the document names exists', (t) => {
  const rows = new Set(ROWS.map(titleOf))
  const sources = ['packages/policy/test', 'packages/state/test/waypoint'].flatMap(sourcesIn)
  t.true(namedTests.length > 100, `only ${namedTests.length} found`)
  for (const title of namedTests) {
    t.true(rows.has(title) || sources.some((source) => source.includes(`test('${title}'`)), title)
  }
})

test('every row of the table stands in the document', (t) => {
  const named = new Set(namedTests)
  for (const row of ROWS) t.true(named.has(titleOf(row)), titleOf(row))
})

test('every field of a source and of an operation has a row', (t) => {
  const fields = new Set(ROWS.map(({ field }) => field))
  const wire = [
    ...pb.HttpAuthorization_SourceSchema.fields.map(({ localName }) => `from.source.${localName}`),
    ...pb.HttpAuthorization_OperationSchema.fields.map(({ localName }) => `to.operation.${localName}`),
  ]
  t.is(wire.length, 22)
  for (const field of wire) t.true(fields.has(field), field)
})
