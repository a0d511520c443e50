import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { MAX_PAGE_BYTES } from '../src/limits.ts'
import { readPageFiles } from '../src/page-files.ts'

const files = readPageFiles()
const texts = [...files].map(([name, { body }]): [string, string] => [name, body.toString('utf8')])

test('the page stays small', (t) => {
  const bytes = [...files.values()].reduce((sum, { body }) => sum + body.length, 0)
  t.log(`${bytes} bytes in ${files.size} files`)
  t.true(bytes < MAX_PAGE_BYTES, `${bytes} bytes`)
})

test('no address of elsewhere occurs, but the name of the SVG namespace', (t) => {
  for (const [name, text] of texts) {
    const addresses =
      text.replaceAll('http://www.w3.org/2000/svg', '').match(/(?:https?:|wss?:)?\/\/[a-z0-9.-]+/gi) ?? []
    // Comments of modules begin with the same two strokes; they have a blank after them.
    t.deepEqual(addresses, [], name)
  }
})

test('whatever the page loads is among its files', (t) => {
  let seen = 0
  for (const [name, text] of texts) {
    const loaded = [...text.matchAll(/from '\.\/([^']+)'/g), ...text.matchAll(/(?:href|src)="([^"#]+)"/g)].map(
      (match) => match[1] ?? '',
    )
    for (const wanted of loaded) t.true(files.has(wanted), `${name} loads ${wanted}`)
    seen += loaded.length
  }
  t.true(seen > 20)
})

test('nothing in it parses text as HTML or runs text as code', (t) => {
  for (const [name, text] of texts) {
    t.notRegex(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|\sstyle="|\son[a-z]+="/,
      name,
    )
  }
})

test('no text of a source spans lines or has runs of blanks: blanks are taken out with the types', (t) => {
  const folder = join(import.meta.dirname, '../src/page')
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  t.true(sources.length > 10)
  for (const name of sources) {
    const source = readFileSync(join(folder, name), 'utf8')
    t.notRegex(source, /\S {2,}/, name)
    for (const line of source.split('\n')) t.is(line.replaceAll(/[^`]/g, '').length % 2, 0, `${name}: ${line}`)
  }
})

test('modules come without types, as JavaScript', (t) => {
  const main = files.get('main.ts')
  t.is(main?.contentType, 'text/javascript; charset=utf-8')
  t.notRegex(main?.body.toString('utf8') ?? '', /import type|: Topology/)
})
