import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { compileYaml, parseYaml } from '../../packages/controller/test/support/golden-authorization.ts'

const shared = process.env['AMBIT_SHARED'] ?? join(import.meta.dirname, '../../../shared')
const folder = join(shared, 'data/istio-ambient-goldens')
const names = readdirSync(folder)
  .filter((file) => file.endsWith('-in.yaml'))
  .map((file) => file.slice(0, -'-in.yaml'.length))

const compilesToGolden = test.macro((t, name: string) => {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  t.deepEqual(compileYaml(read(`${name}-in.yaml`)), parseYaml(read(`${name}.yaml`)))
})

test('there is something to compare with', (t) => t.true(names.length > 0))

for (const name of names) test(`${name} compiles to its golden`, compilesToGolden, name)
