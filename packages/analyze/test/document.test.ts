// Holds docs/analyze.md, the codes and the tests together.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { ANALYZERS, CODES, type Code } from '../src/index.ts'
import { CASES, titleOf } from './cases.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const rows = readFileSync(join(root, 'docs', 'analyze.md'), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const [, code, level, name, found, condition, tests] =
      line.split(' | ').length === 6 ? ['', ...line.slice(2, -2).split(' | ')] : []
    if (code === undefined || !code.startsWith('`IST')) return []
    const titles = (tests ?? '').split('<br>').map((title) => title.trim().replaceAll('`', ''))
    return [{ code: code.replaceAll('`', '') as Code, level, name, found, condition, titles: titles.filter(Boolean) }]
  })
const analyzed = Object.entries(CODES).filter(([, { by }]) => by === 'analyze')
const byHand = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'))
  .join('\n')

test('every code has a row, with its level, its name and whether it is found', (t) => {
  t.deepEqual(rows.map(({ code }) => code).toSorted(), Object.keys(CODES).toSorted())
  for (const { code, level, name, found } of rows) {
    const facts = CODES[code]
    t.deepEqual([level, name], [facts?.level, facts?.name], code)
    t.is(found === 'yes', facts?.by === 'analyze', code)
  }
})

test('every code that is found has a document with it and one without it, and an analyzer', (t) => {
  for (const [code] of analyzed) {
    const { titles = [], condition = '' } = rows.find((row) => row.code === code) ?? {}
    t.true(
      titles.some((title) => title.startsWith(`${code} for: `)),
      `${code}: no test that has the message`,
    )
    t.true(
      titles.some((title) => title.startsWith(`${code} not: `)),
      `${code}: no test that has not`,
    )
    t.not(condition, '', code)
    if (code !== 'IST0001')
      t.true(
        ANALYZERS.some(({ codes }) => codes.includes(code as Code)),
        code,
      )
  }
})

test('tests of the table are those of the document', (t) => {
  const named = new Set(rows.flatMap(({ titles }) => titles))
  const there = new Set(CASES.map(titleOf))
  for (const title of named) t.true(there.has(title) || byHand.includes(`test('${title}'`), title)
  for (const title of there) t.true(named.has(title), title)
})

test('analyzers say only codes they name, and codes that are found', (t) => {
  for (const { name, codes } of ANALYZERS) for (const code of codes) t.is(CODES[code]?.by, 'analyze', `${name} ${code}`)
})
