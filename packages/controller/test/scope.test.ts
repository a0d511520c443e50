import test from 'ava'
import { decodeLabelSelector, selectorMatches } from '../src/watch/label-selector.ts'
import { coversNamespace, coversRevision, type Scope } from '../src/watch/scope.ts'

const SCOPE: Scope = { rootNamespace: 'root', revision: 'r1', tags: new Set(['prod']), discoverySelectors: [] }

const revision = test.macro((t, labels: Readonly<Record<string, string>>, expected: boolean) => {
  t.is(coversRevision(SCOPE, labels), expected)
})
test('no revision label: for every revision', revision, {}, true)
test('its own revision', revision, { 'istio.io/rev': 'r1' }, true)
test('a tag of its revision', revision, { 'istio.io/rev': 'prod' }, true)
test('another revision', revision, { 'istio.io/rev': 'r2' }, false)
test('an empty revision is another', revision, { 'istio.io/rev': '' }, false)

const namespaces = test.macro(
  (
    t,
    selectors: readonly unknown[],
    name: string,
    labels: Readonly<Record<string, string>> | undefined,
    expected: boolean,
  ) => {
    const discoverySelectors = selectors.map((each) => decodeLabelSelector(each) ?? [])
    t.is(coversNamespace({ ...SCOPE, discoverySelectors }, name, labels), expected)
  },
)
const PROD = { matchLabels: { env: 'prod' } }
const TEAM = { matchExpressions: [{ key: 'team', operator: 'Exists' }] }
test('no selectors select every namespace', namespaces, [], 'a', undefined, true)
test('a namespace that is selected', namespaces, [PROD], 'a', { env: 'prod' }, true)
test('a namespace that is not', namespaces, [PROD], 'a', { env: 'dev' }, false)
test('selectors are alternatives', namespaces, [PROD, TEAM], 'a', { team: 'x' }, true)
test('a namespace not seen yet is not selected', namespaces, [PROD], 'a', undefined, false)
test('the root namespace always is', namespaces, [PROD], 'root', undefined, true)

const selector = test.macro(
  (t, written: unknown, labels: Readonly<Record<string, string>>, expected: boolean | undefined) => {
    const decoded = decodeLabelSelector(written)
    t.is(decoded && selectorMatches(decoded, labels), expected)
  },
)
const where = (operator: string, values?: unknown): unknown => ({ matchExpressions: [{ key: 'k', operator, values }] })
test('an empty selector matches', selector, {}, {}, true)
test('In', selector, where('In', ['a', 'b']), { k: 'b' }, true)
test('In, absent', selector, where('In', ['a']), {}, false)
test('NotIn', selector, where('NotIn', ['a']), { k: 'a' }, false)
test('NotIn, absent', selector, where('NotIn', ['a']), {}, true)
test('Exists', selector, where('Exists'), { k: '' }, true)
test('DoesNotExist', selector, where('DoesNotExist'), { k: '' }, false)
test('an operator nobody knows', selector, where('Near', ['a']), {}, undefined)
test('values that are no texts', selector, where('In', [1]), {}, undefined)
test('labels that are no texts', selector, { matchLabels: { k: 1 } }, {}, undefined)
test('a misspelt key', selector, { matchlabels: {} }, {}, undefined)
test('no object', selector, 'env=prod', {}, undefined)
