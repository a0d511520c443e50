import test from 'ava'
import { parse } from 'yaml'
import { DEFAULT_SELECTORS, type EnrollmentReason, enrollment, parseEnablementSelectors } from '../src/enrollment.ts'
import { SelectorError } from '../src/label-selector.ts'
import { decodePod, type PodFacts } from '../src/pod-facts.ts'

const MODE = 'istio.io/dataplane-mode'

function pod(
  o: Partial<{
    label: string
    annotations: Record<string, string>
    hostNetwork: boolean
    phase: string
    namespace: string
  }>,
): PodFacts {
  const decoded = decodePod({
    metadata: {
      uid: 'u1',
      name: 'p',
      namespace: o.namespace ?? 'apps',
      labels: o.label === undefined ? {} : { [MODE]: o.label },
      annotations: o.annotations ?? {},
    },
    spec: { hostNetwork: o.hostNetwork },
    status: { phase: o.phase ?? 'Running', podIP: '10.0.0.1' },
  })
  if (decoded === undefined) throw new Error('bad fixture')
  return decoded
}

const decides = test.macro({
  exec(t, subject: PodFacts, namespaceLabel: string | undefined, expected: EnrollmentReason) {
    const namespace = {
      name: subject.namespace,
      labels: new Map(namespaceLabel === undefined ? [] : [[MODE, namespaceLabel]]),
    }
    const rules = { selectors: DEFAULT_SELECTORS, excludeNamespaces: ['kube-system'] }
    t.deepEqual(enrollment(subject, namespace, rules), { enrolled: expected === 'selected', reason: expected })
  },
  title: (name = '') => name,
})

test('a pod label enrols in an unlabelled namespace', decides, pod({ label: 'ambient' }), undefined, 'selected')
test('a pod label enrols in a namespace that opted out', decides, pod({ label: 'ambient' }), 'none', 'selected')
test('a namespace label enrols its pods', decides, pod({}), 'ambient', 'selected')
test('a pod opts out of its namespace', decides, pod({ label: 'none' }), 'ambient', 'opted out')
test('another value of the pod label follows the namespace', decides, pod({ label: 'sidecar' }), 'ambient', 'selected')
test('no labels at all: not enrolled', decides, pod({}), undefined, 'not selected')
test('another value of the namespace label: not enrolled', decides, pod({}), 'Ambient', 'not selected')
test(
  'host network is never enrolled, even with the label',
  decides,
  pod({ label: 'ambient', hostNetwork: true }),
  'ambient',
  'host network',
)
test(
  'a pod with a sidecar is never enrolled',
  decides,
  pod({ label: 'ambient', annotations: { 'sidecar.istio.io/status': '' } }),
  'ambient',
  'has a sidecar',
)
test(
  'an excluded namespace is never enrolled',
  decides,
  pod({ label: 'ambient', namespace: 'kube-system' }),
  'ambient',
  'excluded namespace',
)
test('a succeeded pod is gone', decides, pod({ label: 'ambient', phase: 'Succeeded' }), 'ambient', 'terminated')
test('a failed pod is gone', decides, pod({ label: 'ambient', phase: 'Failed' }), 'ambient', 'terminated')
test(
  'a pending pod is enrolled before it runs',
  decides,
  pod({ label: 'ambient', phase: 'Pending' }),
  undefined,
  'selected',
)

test("the chart's default selectors as YAML are the built-in ones", (t) => {
  const yaml = `
- podSelector:
    matchLabels: {istio.io/dataplane-mode: ambient}
- podSelector:
    matchExpressions:
    - key: istio.io/dataplane-mode
      operator: NotIn
      values: [none]
  namespaceSelector:
    matchLabels:
      istio.io/dataplane-mode: ambient
`
  t.deepEqual(parseEnablementSelectors(parse(yaml)), DEFAULT_SELECTORS)
})

test('custom selectors replace the defaults', (t) => {
  const selectors = parseEnablementSelectors([
    {
      podSelector: {
        matchExpressions: [
          { key: 'mesh', operator: 'Exists' },
          { key: 'skip', operator: 'DoesNotExist' },
        ],
      },
    },
  ])
  const rules = { selectors, excludeNamespaces: [] }
  const namespace = { name: 'apps', labels: new Map([[MODE, 'ambient']]) }
  t.false(enrollment(pod({ label: 'ambient' }), namespace, rules).enrolled)
  t.true(enrollment({ ...pod({}), labels: new Map([['mesh', '']]) }, namespace, rules).enrolled)
  t.false(
    enrollment(
      {
        ...pod({}),
        labels: new Map([
          ['mesh', ''],
          ['skip', 'x'],
        ]),
      },
      namespace,
      rules,
    ).enrolled,
  )
})

for (const [what, value] of Object.entries({
  'no list': {},
  'a misspelt field': [{ podselector: {} }],
  'an unknown operator': [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Matches', values: ['b'] }] } }],
  'In without values': [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }],
  'Exists with values': [{ podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } }],
  'a number as label': [{ podSelector: { matchLabels: { a: 1 } } }],
  'an unknown selector field': [{ podSelector: { matchLabel: { a: 'b' } } }],
})) {
  test(`selectors with ${what} are refused instead of selecting everything`, (t) => {
    t.throws(() => parseEnablementSelectors(value), { instanceOf: SelectorError })
  })
}

test('a pod is decoded with every address once, in canonical spelling', (t) => {
  const decoded = decodePod({
    metadata: { uid: 'u', name: 'n', namespace: 's' },
    status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'FD00::1' }, { ip: 'nonsense' }] },
  })
  t.deepEqual(decoded?.ips as unknown, ['10.0.0.1', 'fd00::1'])
  t.is(decoded?.serviceAccount, 'default')
})

test('an object without uid is no pod', (t) => {
  for (const object of [undefined, 1, {}, { metadata: { name: 'n', namespace: 's' } }])
    t.is(decodePod(object), undefined)
})
