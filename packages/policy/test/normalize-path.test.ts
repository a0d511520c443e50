import type { PathNormalization } from '@ambit/state'
import test from 'ava'
import fc from 'fast-check'
import { normalizePath } from '../src/index.ts'

const MODES = ['none', 'base', 'merge-slashes', 'decode-and-merge-slashes'] as const

/** What is forwarded, or why nothing is. */
function forwarded(target: string, mode: PathNormalization): string {
  const normal = normalizePath(target, mode)
  if (normal.kind === 'path') return normal.target
  return normal.kind === 'refused' ? `refused: ${normal.reason}` : `other: ${normal.form}`
}

const spelled = test.macro({
  exec(t, _target: string, ...expected: readonly [none: string, base: string, merge: string, decode: string]) {
    t.deepEqual(
      MODES.map((mode) => forwarded(_target, mode)),
      [...expected],
    )
  },
  title: (name, target) => `${name}: ${String(target)}`,
})

const ALL = (same: string) => [same, same, same, same] as const
const NORMAL = (none: string, base: string) => [none, base, base, base] as const

test('nothing to do', spelled, '/a/b.c/~d?q=/../x', ...ALL('/a/b.c/~d?q=/../x'))
test('root', spelled, '/', ...ALL('/'))
test('parent', spelled, '/a/b/../c', ...NORMAL('/a/b/../c', '/a/c'))
test('same folder', spelled, '/a/./b', ...NORMAL('/a/./b', '/a/b'))
test('above the root', spelled, '/../../a', ...NORMAL('/../../a', '/a'))
test('parent at the end', spelled, '/a/b/..', ...NORMAL('/a/b/..', '/a/'))
test('same folder at the end', spelled, '/a/.', ...NORMAL('/a/.', '/a/'))
test(
  'names with dots',
  spelled,
  '/...//.a/..b/c..',
  '/...//.a/..b/c..',
  '/...//.a/..b/c..',
  '/.../.a/..b/c..',
  '/.../.a/..b/c..',
)
test('escaped dots', spelled, '/a/%2e%2E/b/.%2e/%2E/c', ...NORMAL('/a/%2e%2E/b/.%2e/%2E/c', '/c'))
test('escaped letters', spelled, '/%61dmin/%7Ex', ...NORMAL('/%61dmin/%7Ex', '/admin/~x'))
test('escapes that mean something stay', spelled, '/a%3Fb%23c%20d%25%C3%A9', ...ALL('/a%3Fb%23c%20d%25%C3%A9'))
test('no escape that was not written', spelled, '/a%2%46b/%%32F', ...ALL('/a%2%46b/%%32F'))
test('a stray percent hides nothing behind it', spelled, '/%/%2e%2e/a', ...NORMAL('/%/%2e%2e/a', '/a'))
test('an escape of an escape', spelled, '/a%252Fb%252e', ...ALL('/a%252Fb%252e'))
test('backslash', spelled, '/a\\b\\..\\c', ...NORMAL('/a\\b\\..\\c', '/a/c'))
test('leading backslash', spelled, '\\a', 'refused: no-leading-slash', '/a', '/a', '/a')
test('slashes', spelled, '//a///b//', '//a///b//', '//a///b//', '/a/b/', '/a/b/')
test('parent of an empty segment', spelled, '/a//../b', '/a//../b', '/a/b', '/a/b', '/a/b')
test('escaped slashes', spelled, '/a%2Fb%5cc%2f', '/a%2Fb%5cc%2f', '/a%2Fb%5cc%2f', '/a%2Fb%5cc%2f', '/a/b/c/')
test('escaped slashes around dots', spelled, '/a%2f..%2Fb', '/a%2f..%2Fb', '/a%2f..%2Fb', '/a%2f..%2Fb', '/b')
test('query is not touched', spelled, '/a/../b?x=//..%2F#y', ...NORMAL('/a/../b?x=//..%2F#y', '/b?x=//..%2F#y'))
test('fragment', spelled, '/public#/../admin', ...ALL('refused: fragment'))
test('blank', spelled, '/a b', ...ALL('refused: control-character'))
test('line feed', spelled, '/a\nb', ...ALL('refused: control-character'))
test(
  'escaped NUL',
  spelled,
  '/a%00/../b',
  '/a%00/../b',
  ...(['refused: control-character', 'refused: control-character', 'refused: control-character'] as const),
)
test('empty', spelled, '', ...ALL('refused: empty'))
test('no slash', spelled, 'a/b', ...ALL('refused: no-leading-slash'))
test('escaped leading slash', spelled, '%2Fa', ...ALL('refused: no-leading-slash'))
test('asterisk', spelled, '*', ...ALL('other: asterisk'))
test('absolute', spelled, 'http://a.example/../b', ...ALL('other: absolute'))
test('authority', spelled, 'a.example:443', ...ALL('other: authority'))
test('authority of IPv6', spelled, '[fd00::1]:443', ...ALL('other: authority'))

test('what policies see is what is forwarded, without the query', (t) => {
  t.like(normalizePath('/a/../b?q', 'base'), { path: '/b', target: '/b?q' })
  t.like(normalizePath('/a/../b', 'none'), { path: '/a/../b', target: '/a/../b' })
})

/** Texts made of what normalisation is about. */
const targets = fc
  .array(
    fc.constantFrom(
      '/',
      '\\',
      '.',
      '..',
      '%2e',
      '%2E',
      '%2f',
      '%5C',
      '%',
      '%2',
      '5',
      '2',
      'e',
      'f',
      'F',
      '%46',
      '%32',
      '%25',
      'a',
      '?',
      ';',
      'é',
    ),
    {
      maxLength: 24,
    },
  )
  .map((parts) => `/${parts.join('')}`)

for (const mode of MODES) {
  test(`property, ${mode}: normalising twice changes nothing more, and target is path and query`, (t) => {
    fc.assert(
      fc.property(targets, (target) => {
        const once = normalizePath(target, mode)
        if (once.kind !== 'path') return
        t.deepEqual(normalizePath(once.target, mode), once)
        const query = target.indexOf('?')
        t.is(once.target, once.path + (query < 0 ? '' : target.slice(query)))
      }),
      { numRuns: 2_000 },
    )
  })
}

for (const mode of MODES.slice(1)) {
  test(`property, ${mode}: no dot segment and no backslash survives, escaped or not`, (t) => {
    fc.assert(
      fc.property(targets, (target) => {
        const normal = normalizePath(target, mode)
        if (normal.kind !== 'path') return
        const segments = normal.path.replaceAll(/%2e/gi, '.').split('/')
        t.false(segments.includes('..') || segments.includes('.'), normal.path)
        t.false(normal.path.includes('\\'))
        t.true(normal.path.startsWith('/'))
        if (mode !== 'base') t.false(normal.path.includes('//'), normal.path)
        if (mode === 'decode-and-merge-slashes') t.notRegex(normal.path, /%2f|%5c/i)
      }),
      { numRuns: 2_000 },
    )
  })
}

test('property: any text at all is a path, something else or refused', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.constantFrom(...MODES), (text, mode) => {
      t.true(['path', 'other', 'refused'].includes(normalizePath(text, mode).kind))
    }),
  )
})

test('time grows with the length, not with its square', (t) => {
  const hostile = (n: number): string => `/${'%41%2%2e/../\\'.repeat(n)}`
  const cpuMs = (): number => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  /** Of processor, the best of several: other work on the machine only adds. */
  const time = (n: number): number => {
    const target = hostile(n)
    const runs = Array.from({ length: 7 }, () => {
      const started = cpuMs()
      normalizePath(target, 'decode-and-merge-slashes')
      return cpuMs() - started
    })
    return Math.min(...runs)
  }
  time(5_000)
  const [short, long] = [time(5_000), time(40_000)]
  // Eight times the length; the square would be sixty-four times.
  t.true(long < Math.max(short, 1) * 32, `${short} ms, ${long} ms`)
})
