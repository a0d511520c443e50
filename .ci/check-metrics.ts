// Keeps docs/metrics.md true: every metric family that a source registers stands there with its type and labels, and
// every family it names is registered somewhere. Counters are written as scrapers see them, with `_total`.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Family {
  readonly type: string
  /** Undefined when the source names its labels by a constant. */
  readonly labels: string | undefined
}

const DOCUMENT = 'docs/metrics.md'
const root = join(import.meta.dirname, '..')
const REGISTRATION = /(?:\.(counter|gauge|histogram|gaugeFunction)|new prom\.(Counter))\(\s*\{([^}]*)\}/g

function exposedName(name: string, type: string): string {
  return type === 'counter' && !name.endsWith('_total') ? `${name}_total` : name
}

function labelsIn(registration: string): string | undefined {
  if (!registration.includes('labelNames')) return ''
  const listed = /labelNames: \[([^\]]*)\]/.exec(registration)?.[1]
  return listed && [...listed.matchAll(/'([^']+)'/g)].map((match) => match[1]).join(', ')
}

/** Families by name, and the beginnings of names that a source puts together. */
function registered(): { readonly families: ReadonlyMap<string, Family>; readonly prefixes: readonly string[] } {
  const families = new Map<string, Family>()
  const prefixes: string[] = []
  const sources = readdirSync(join(root, 'packages'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^(?!testing\/)[^/]+\/src\/.+\.ts$/.test(file),
  )
  for (const file of sources) {
    for (const [, method, builtIn, text = ''] of readFileSync(join(root, 'packages', file), 'utf8').matchAll(
      REGISTRATION,
    )) {
      const prefix = /\bname: `([^`$]+)\$/.exec(text)?.[1]
      if (prefix !== undefined) prefixes.push(prefix)
      const name = /\bname: '([^']+)'/.exec(text)?.[1]
      if (name === undefined) continue
      const type = (builtIn ?? method ?? '').toLowerCase().replace('gaugefunction', 'gauge')
      families.set(exposedName(name, type), { type, labels: labelsIn(text) })
    }
  }
  return { families, prefixes }
}

function documented(): ReadonlyMap<string, Family> {
  const rows = readFileSync(join(root, DOCUMENT), 'utf8').matchAll(/^\| `([^`]+)` \|([^|]*)\|([^|]*)\|/gm)
  return new Map(
    [...rows].map(([, name = '', type = '', labels = '']) => [name, { type: type.trim(), labels: labels.trim() }]),
  )
}

const { families: inCode, prefixes } = registered()
const inDocument = documented()
const problems: string[] = []
for (const [name, { type, labels }] of inCode) {
  const row = inDocument.get(name)
  if (row === undefined) problems.push(`${name} is not in ${DOCUMENT}`)
  else if (row.type !== type) problems.push(`${name} is a ${type}, ${DOCUMENT} says ${row.type}`)
  else if (labels !== undefined && row.labels !== labels)
    problems.push(`${name} has the labels "${labels}", ${DOCUMENT} says "${row.labels ?? ''}"`)
}
for (const name of inDocument.keys()) {
  if (inCode.has(name) || prefixes.some((prefix) => name.startsWith(prefix))) continue
  problems.push(`${DOCUMENT}: nothing registers ${name}`)
}
if (inCode.size === 0) problems.push('no metric found: the check saw nothing')
for (const problem of problems) console.error(`metrics: ${problem}`)
if (problems.length > 0) process.exit(1)
console.log(`metrics: ${inDocument.size} families in ${DOCUMENT}, each as it is registered`)
