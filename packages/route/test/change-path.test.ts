import test from 'ava'
import fc from 'fast-check'
import { changePath, hasSegmentPrefix } from '../src/index.ts'

const replaced = (path: string, prefix: string, value: string): string =>
  changePath({ path, query: '' }, { kind: 'prefix', value }, { kind: 'prefix', value: prefix }).path

/** Gateway API's table of ReplacePrefixMatch, and its rule that a slash at the end is ignored. */
const TABLE: readonly (readonly [path: string, prefix: string, value: string, result: string])[] = [
  ['/foo/bar', '/foo', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo', '/xyz/', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz', '/xyz/bar'],
  ['/foo/bar', '/foo/', '/xyz/', '/xyz/bar'],
  ['/foo', '/foo', '/xyz', '/xyz'],
  ['/foo', '/foo', '/xyz/', '/xyz'],
  ['/foo', '/foo/', '/xyz', '/xyz'],
  ['/foo/', '/foo', '/xyz', '/xyz/'],
  ['/foo/', '/foo/', '/xyz/', '/xyz/'],
  ['/foo/bar', '/foo', '', '/bar'],
  ['/foo/bar', '/foo/', '', '/bar'],
  ['/foo/', '/foo', '', '/'],
  ['/foo', '/foo', '', '/'],
  ['/foo/', '/foo', '/', '/'],
  ['/foo', '/foo', '/', '/'],
  ['/foo/bar', '/foo', '/', '/bar'],
  ['/foo/bar', '/', '/xyz', '/xyz/foo/bar'],
  ['/', '/', '/xyz', '/xyz/'],
  ['/foo/bar', '/foo', 'xyz', '/xyz/bar'],
  ['/foo/%2e%2e/bar', '/foo', '/xyz', '/xyz/%2e%2e/bar'],
  ['/a$&/b', '/a$&', '/$1', '/$1/b'],
]
for (const [path, prefix, value, result] of TABLE) {
  test(`${path}: ${prefix} replaced by "${value}"`, (t) => t.is(replaced(path, prefix, value), result))
}

test('without a path match the prefix is the root', (t) => {
  t.is(changePath({ path: '/a/b', query: '' }, { kind: 'prefix', value: '/x' }, undefined).path, '/x/a/b')
})

test('a full path takes the place of any, the query stays', (t) => {
  const full = (value: string) => changePath({ path: '/a/b', query: 'q=1' }, { kind: 'full', value }, undefined)
  t.deepEqual(full('/x'), { path: '/x', query: 'q=1' })
  t.deepEqual(full('x/'), { path: '/x/', query: 'q=1' })
  t.deepEqual(full(''), { path: '/', query: 'q=1' })
  t.deepEqual(full('/x?r=2'), { path: '/x', query: 'r=2' })
  t.deepEqual(full('/x?'), { path: '/x', query: '' })
})

test('what a prefix is replaced by is a prefix of the result, and the rest stays', (t) => {
  const segment = fc.stringMatching(/^[a-z0-9%.~$&-]{1,5}$/)
  const path = fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`)
  fc.assert(
    fc.property(path, fc.array(segment, { maxLength: 4 }), path, (prefix, rest, value) => {
      const sent = [prefix === '/' ? '' : prefix, ...rest].join('/') || '/'
      const result = replaced(sent, prefix, value)
      return result.startsWith('/') && hasSegmentPrefix(result, value) && result.endsWith(rest.join('/'))
    }),
    { numRuns: 2_000 },
  )
  t.pass()
})
