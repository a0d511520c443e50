// Holds docs/kubernetes.md, the tests it names, kubectl's list of commands and the served kinds together.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { builtinResources } from '../src/apiserver/resources/builtin-resources.ts'
import { BuiltinTypes } from '../src/apiserver/schema/builtin-types.ts'
import { installedKubectls } from './apiserver/installed-kubectl.ts'

interface Row {
  /** What is quoted in its first cell. */
  readonly forms: readonly string[]
  readonly tests: readonly { readonly file: string; readonly title: string | undefined }[]
  readonly line: string
}

const root = join(import.meta.dirname, '..', '..', '..')
const document = readFileSync(join(root, 'docs', 'kubernetes.md'), 'utf8')

const FOLDERS: Readonly<Record<string, string>> = {
  cluster: 'test/cluster',
  api: 'packages/sandbox/test/apiserver',
  controllers: 'packages/sandbox/test/controllers',
  sandbox: 'packages/sandbox/test',
}

/** Commands whose own subcommands ask the API server, each in its way. */
const PARENTS = ['apply', 'auth', 'certificate', 'cluster-info', 'create', 'rollout', 'set', 'top']

function rowsOf(section: string): readonly Row[] {
  const text = document.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  return text
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.endsWith('| tests |'))
    .map((line) => {
      const cells = line.split('|').slice(1, -1)
      return { line, forms: quoted(cells[0] ?? ''), tests: quoted(cells.at(-1) ?? '').map(testOf) }
    })
}

function quoted(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
}

function testOf(text: string): Row['tests'][number] {
  const [, file = text, title] = /^(\S+\.ts)(?:: (.+))?$/.exec(text) ?? []
  return { file, title }
}

function sourceOf(file: string): string {
  const [folder = '', name = ''] = file.split('/')
  return readFileSync(join(root, FOLDERS[folder] ?? folder, name), 'utf8')
}

/** Titles of a file; what is filled in while it runs stands for anything. */
function titlesOf(source: string): readonly RegExp[] {
  const literals = [...source.matchAll(/'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
  return literals.map((literal) => {
    // The kubectl that a title begins with is left out of it.
    const parts = literal
      .replaceAll(/\\(.)/g, '$1')
      .replace(/^\$\{basename\(binary\)\}:? /, '')
      .split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/)
    const pattern = parts.map((part) => RegExp.escape(part)).join('.*')
    // A title that is all but filled in would fit everything.
    return parts.join('').length < 5 ? /^$/ : new RegExp(`^${pattern}$`)
  })
}

/** Commands that `kubectl … --help` lists. */
function listedBy(...args: readonly string[]): readonly string[] {
  const help = execFileSync(installedKubectls().at(-1) ?? 'kubectl', [...args, '--help'], { encoding: 'utf8' })
  return help
    .split(/\n\n/)
    .filter((part) => /^(?:[\w ()]* )?Commands[\w ()]*:\n/.test(part) && !part.startsWith('Subcommands provided'))
    .flatMap((part) => [...part.matchAll(/^ {2}([a-z][\w-]*) /gm)].map((match) => match[1] ?? ''))
}

const SECTIONS = ['kubectl', 'Kinds', 'Pods', 'Services and names', 'The API'] as const
const commands = rowsOf('kubectl')

test('every test the document names exists', (t) => {
  for (const section of SECTIONS) {
    const rows = rowsOf(section)
    t.true(rows.length > 5, section)
    for (const { line, tests } of rows) {
      t.true(tests.length > 0 || line.includes('| ask no server | — |'), line)
      for (const { file, title } of tests) {
        const titles = titlesOf(sourceOf(file))
        t.true(title === undefined || titles.some((pattern) => pattern.test(title)), `${file}: ${title}`)
      }
    }
  }
})

test('a command that names a file alone is typed there, word for word', (t) => {
  const missing: string[] = []
  for (const { forms, tests } of commands)
    for (const { file } of tests.filter(({ title }) => title === undefined)) {
      const typed = [...sourceOf(file).matchAll(/args: '([^']+)'/g)].map((match) => ` ${match[1] ?? ''}`)
      for (const form of forms) {
        const words = form.split(' ')
        const fits = (line: string): boolean => words.every((word) => line.includes(` ${word}`))
        if (!typed.some(fits)) missing.push(`${file}: ${form}`)
      }
    }
  t.deepEqual(missing, [])
})

test('every command of kubectl has its row', (t) => {
  const forms = commands.flatMap((row) => row.forms)
  const listed = listedBy()
  t.true(listed.length > 35, listed.join(' '))
  const subcommands = PARENTS.flatMap((parent) => {
    const own = listedBy(parent)
    t.true(own.length > 0, parent)
    return own.map((name) => `${parent} ${name}`)
  })
  for (const command of [...listed, ...subcommands])
    t.true(
      forms.some((form) => `${form} `.startsWith(`${command} `)),
      `kubectl ${command} is in no row`,
    )
})

test('every served kind has its row', (t) => {
  const kinds = rowsOf('Kinds').flatMap(({ forms }) => forms)
  const served = new Set(builtinResources(new BuiltinTypes()).map(({ kind }) => kind))
  for (const kind of served) t.true(kinds.includes(kind), `${kind} is in no row`)
  for (const kind of kinds) t.true(served.has(kind), `${kind} is not served`)
})
