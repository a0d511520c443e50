// Keeps docs/limits.md true: every exported constant of a limits.ts or defaults.ts stands there with its value, and
// every constant and test the document names exists. A value may be written with a unit: 64 KiB, 10 s, 5 min.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Row {
  readonly file: string
  readonly name: string
  readonly value: string
  readonly triedBy: readonly string[]
}

const DOCUMENT = 'docs/limits.md'
const root = join(import.meta.dirname, '..')

/** What a unit multiplies by: bytes for sizes, milliseconds for times. */
const UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

function rowsOf(document: string): readonly Row[] {
  const rows: Row[] = []
  let file = ''
  for (const line of document.split('\n')) {
    file = /^### `([^`]+)`/.exec(line)?.[1] ?? file
    const [, name, , value, , tests] = /^\| `([^`]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$/.exec(line) ?? []
    if (name === undefined || value === undefined) continue
    rows.push({
      file,
      name,
      value: value.trim(),
      triedBy: [...(tests ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
    })
  }
  return rows
}

/** Constants of a module by name, the fields of an object as `NAME.field`. */
function leavesOf(exports: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(exports).flatMap(([name, value]): [string, unknown][] =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.entries(value).map(([field, leaf]) => [`${name}.${field}`, leaf])
        : [[name, value]],
    ),
  )
}

/** The number a value cell stands for, in the unit the constant's name says. */
function readNumber(name: string, cell: string): number | undefined {
  const [, digits, unit] = /^([\d,.]+)(?: (\w+))?$/.exec(cell) ?? []
  if (digits === undefined) return undefined
  const factor = unit === undefined ? 1 : UNITS[unit]
  if (factor === undefined) return undefined
  const inSeconds = /(?:_S|_SECONDS|Seconds)$/.test(name) && unit !== undefined
  return (Number(digits.replaceAll(',', '')) * factor) / (inSeconds ? 1000 : 1)
}

function differs({ name, value }: Row, actual: unknown): boolean {
  if (typeof actual === 'number') return readNumber(name, value) !== actual
  return value.replaceAll('`', '') !== (Array.isArray(actual) ? actual.join(', ') : String(actual))
}

/** A constant that its file keeps to itself is read from the text; only plain arithmetic is understood. */
function privateConstant(file: string, name: string): number | undefined {
  const match = new RegExp(`^(?:export )?const ${name}(?:: number)? = ([\\d_ *+]+)$`, 'm').exec(
    readFileSync(join(root, file), 'utf8'),
  )
  const terms = match?.[1]?.replaceAll('_', '').split('+')
  return terms
    ?.map((term) => term.split('*').reduce((product, factor) => product * Number(factor), 1))
    .reduce((sum, term) => sum + term, 0)
}

function limitFiles(): readonly string[] {
  const inSources = /^[^/]+\/src\/(?:.+\/)?(?:limits|defaults)\.ts$/
  return readdirSync(join(root, 'packages'), { recursive: true, encoding: 'utf8' })
    .filter((file) => inSources.test(file) && !file.includes('node_modules'))
    .map((file) => `packages/${file}`)
}

function testExists(file: string, name: string): boolean {
  const folder = file.split('/').slice(0, 2).join('/')
  return existsSync(join(root, name.startsWith('packages/') ? name : `${folder}/test/${name}`))
}

const rows = rowsOf(readFileSync(join(root, DOCUMENT), 'utf8'))
const files = limitFiles()
const problems: string[] = []
for (const file of files) {
  const exports = leavesOf((await import(join(root, file))) as Record<string, unknown>)
  const documented = new Map(rows.filter((row) => row.file === file).map((row) => [row.name, row]))
  for (const [name, actual] of exports) {
    const row = documented.get(name)
    if (row === undefined) problems.push(`${file}: ${name} is not in ${DOCUMENT}`)
    else if (differs(row, actual)) problems.push(`${file}: ${name} is ${String(actual)}, ${DOCUMENT} says ${row.value}`)
  }
  for (const name of documented.keys()) {
    if (!exports.has(name)) problems.push(`${DOCUMENT}: ${file} has no ${name}`)
  }
}
for (const row of rows) {
  const { file, name, value, triedBy } = row
  if (!existsSync(join(root, file))) problems.push(`${DOCUMENT}: ${file} does not exist`)
  else if (!files.includes(file)) {
    const actual = privateConstant(file, name)
    if (actual === undefined) problems.push(`${DOCUMENT}: ${file} has no constant ${name}`)
    else if (differs(row, actual)) problems.push(`${file}: ${name} is ${actual}, ${DOCUMENT} says ${value}`)
  }
  for (const test of triedBy) {
    if (!testExists(file, test)) problems.push(`${DOCUMENT}: ${name} is tried by ${test}, which does not exist`)
  }
}
if (files.length === 0 || rows.length === 0) problems.push('no limits found: the check saw nothing')
for (const problem of problems) console.error(`limits: ${problem}`)
if (problems.length > 0) process.exit(1)
console.log(`limits: ${rows.length} in ${DOCUMENT}, each as it is in the code`)
