import type { PathPattern } from '@ambit/state'
import test from 'ava'
import { exampleOf, fitsTemplate, isOnePath, OTHER_PATHS, templateOf } from '../src/flows/path-template.ts'
import { policyReads } from '../src/flows/policy-reads.ts'
import { MAX_TEMPLATE_SEGMENTS } from '../src/limits.ts'

function patterns(...paths: readonly string[]): readonly PathPattern[] {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { targetRefs: [{ kind: 'Service', group: '', name: 'web' }], rules: [{ to: [{ operation: { paths } }] }] },
  }
  return policyReads([object]).paths
}

const template = test.macro({
  exec(t, path: string, expected: string, policies: readonly string[] = []) {
    const written = templateOf(path, patterns(...policies))
    t.is(written, expected)
    t.true(fitsTemplate(written)(path))
    t.is(isOnePath(written), written === path)
    // The example is a path of the template.
    t.is(templateOf(exampleOf(written), patterns(...policies)), written)
  },
  title: (_, path: string, expected: string, policies: readonly string[] = []) =>
    `${path} is ${expected}${policies.length === 0 ? '' : ` with ${policies.join()}`}`,
})

test(template, '/', '/')
test(template, '/reviews/7', '/reviews/{number}')
test(template, '/reviews/7/', '/reviews/{number}/')
test(template, '/v1/books/-3.5', '/v1/books/{number}')
test(template, '/users/0b9f5d3e-8a57-4f0c-9d5c-2f1f5b1a7e10/cart', '/users/{uuid}/cart')
test(template, '/static/9f86d081884c7d65/app.js', '/static/{hash}/app.js')
test(template, '/mail/ann@example.com', '/mail/{email}')
test(template, '/mail/ann%40example.com', '/mail/{email}')
test(template, '/t/eyJhbGciOiJIUzI1NiJ9abc', '/t/{token}')
test(template, `/t/${'x'.repeat(48)}`, '/t/{token}')
test(template, '/a-very-long-word-of-letters-only', '/a-very-long-word-of-letters-only')
test(template, '/reviews/7', '/reviews/7', ['/reviews/7'])
test(template, '/reviews/8', '/reviews/{number}', ['/reviews/7'])
test(template, '/reviews/7/8', '/reviews/7/{number}', ['/reviews/7*'])
test(template, '/7/8/9', '/{number}/8/9', ['*/8/9'])
test(template, '/7/8/9', '/7/{number}/9', ['/7/{*}/9'])
test(template, '/7/8/9/10', '/7/{number}/{number}/10', ['/7/{**}/10'])
test(template, '/7/8/9', '/{number}/{number}/{number}', ['/8/{**}', '/7/{*}', '*'])

test('a segment that looks like the name of a kind is told apart from one', (t) => {
  const written = templateOf('/x/{number}', [])
  t.is(written, '/x/%7Bnumber%7D')
  t.true(isOnePath(written))
  t.is(exampleOf(written), '/x/{number}')
  t.false(fitsTemplate(written)('/x/7'))
})

test('a path of more segments than are kept ends in what stands for the rest', (t) => {
  const deep = `/${Array.from({ length: MAX_TEMPLATE_SEGMENTS + 5 }, () => 'a').join('/')}`
  const written = templateOf(deep, [])
  t.is(written.split('/').length - 1, MAX_TEMPLATE_SEGMENTS + 1)
  t.true(written.endsWith('/{rest}'))
  t.true(fitsTemplate(written)(deep))
  t.false(fitsTemplate(written)('/a/a'))
})

test('paths beyond the number that is kept may be any', (t) => {
  t.true(fitsTemplate(OTHER_PATHS)('/whatever/7'))
  t.false(isOnePath(OTHER_PATHS))
})
