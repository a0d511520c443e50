// What ConfigMaps may change of what is deployed for a Gateway, and what not.
import test from 'ava'
import fc from 'fast-check'
import type { ConfigMap } from '../src/ca/root-cert-config-map.ts'
import { decodeGatewayRequest } from '../src/gateway/decode-gateway-request.ts'
import type { RenderedObject } from '../src/gateway/gateway.types.ts'
import { decodeInstallSettings } from '../src/gateway/install-settings.ts'
import { applyOverlays, overlaysOf, trimToOverlays } from '../src/gateway/overlays.ts'
import type { RenderedGateway } from '../src/gateway/render-gateway.ts'
import { strategicMerge } from '../src/gateway/strategic-merge.ts'
import { MAX_OVERLAY_BYTES } from '../src/limits.ts'
import type { Json } from '../src/watch/json.ts'
import * as make from './support/objects.ts'
import { renderWaypoint } from './support/render.ts'

const merges = test.macro({
  exec(t, object: Json, patch: Json, expected: Json | RegExp) {
    const verdict = strategicMerge(object, patch)
    if (expected instanceof RegExp) t.regex(verdict.ok ? '' : verdict.reason, expected)
    else t.deepEqual(verdict, { ok: true, value: expected })
  },
  title: (title = '') => `merge: ${title}`,
})
test('maps merge, null removes', merges, { a: { b: 1, c: 2 } }, { a: { b: null, d: 3 } }, { a: { c: 2, d: 3 } })
test('lists without a key are replaced', merges, { args: ['a', 'b'] }, { args: ['c'] }, { args: ['c'] })
test(
  'lists with a key merge item by item',
  merges,
  {
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
  },
  {
    env: [
      { name: 'B', value: '3' },
      { name: 'C', value: '4' },
    ],
  },
  {
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '3' },
      { name: 'C', value: '4' },
    ],
  },
)
test(
  'ports of a Service and of a container',
  merges,
  { ports: [{ port: 1, name: 'a' }], c: { ports: [{ containerPort: 1, name: 'a' }] } },
  { ports: [{ port: 1, nodePort: 30_000 }], c: { ports: [{ containerPort: 2 }] } },
  {
    ports: [{ port: 1, name: 'a', nodePort: 30_000 }],
    c: { ports: [{ containerPort: 1, name: 'a' }, { containerPort: 2 }] },
  },
)
test(
  'an item is deleted',
  merges,
  { volumes: [{ name: 'a' }, { name: 'b' }] },
  {
    volumes: [
      { name: 'a', $patch: 'delete' },
      { name: 'c', $patch: 'delete' },
    ],
  },
  { volumes: [{ name: 'b' }] },
)
test(
  'a list is replaced',
  merges,
  { env: [{ name: 'A' }] },
  { env: [{ $patch: 'replace' }, { name: 'B' }] },
  { env: [{ name: 'B' }] },
)
test('a map is replaced', merges, { a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } }, { a: { c: 2 } })
test('a map is deleted', merges, { a: { b: 1 }, c: 2 }, { a: { $patch: 'delete' } }, { c: 2 })
test(
  'only named keys are retained',
  merges,
  { a: { b: 1, c: 2 } },
  { a: { $retainKeys: ['c'], c: 3 } },
  { a: { c: 3 } },
)
test('an item without its key', merges, { env: [] }, { env: [{ value: 'x' }] }, /has no name/)
test('an item that is no object', merges, { env: [] }, { env: ['x'] }, /no object/)
test('an unknown directive', merges, {}, { '$setElementOrder/env': [] }, /not supported/)
test('an unknown kind of patch', merges, {}, { a: { $patch: 'append' } }, /not known/)
test(
  'names of JavaScript’s own are only names',
  merges,
  {},
  { constructor: [1], toString: { a: 1 } },
  { constructor: [1], toString: { a: 1 } },
)

test('merging an object onto itself changes nothing', (t) => {
  const rendered = waypoint()
  for (const object of Object.values(rendered) as RenderedObject[])
    t.deepEqual(strategicMerge(object, structuredClone(object)), { ok: true, value: object })
})

test('no patch throws', (t) => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('spec', 'env', 'ports', '$patch', 'metadata'), fc.jsonValue()),
      (patch) => {
        const verdict = applyOverlays(waypoint(), [overlay({ deployment: JSON.stringify(patch) })])
        if (verdict.ok) t.is(verdict.objects.find(({ kind }) => kind === 'Deployment')?.metadata.namespace, 'shop')
        else t.true(verdict.reason.length > 0)
      },
    ),
  )
})

function waypoint(): RenderedGateway {
  const verdict = decodeInstallSettings(
    JSON.stringify({ global: { hub: 'ambit', tag: '1', proxy: { image: 'waypoint' } } }),
    '',
    {
      config: { revision: 'default', namespace: 'istio-system', domain: 'cluster.local', clusterId: 'Kubernetes' },
      mesh: { network: '', trustDomain: 'cluster.local' },
    },
  )
  if (!verdict.ok) throw new Error(verdict.reason)
  const gateway = make.gateway('shop/wp', {}, { metadata: { uid: 'uid-1' } })
  return renderWaypoint(decodeGatewayRequest(gateway), verdict.settings, undefined)
}

function overlay(data: Readonly<Record<string, string>>, at = 'shop/options', labels = {}): ConfigMap {
  const [namespace = '', name = ''] = at.split('/')
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels }, data }
}

function applied(...overlays: readonly ConfigMap[]): readonly RenderedObject[] {
  const verdict = applyOverlays(waypoint(), overlays)
  if (!verdict.ok) throw new Error(verdict.reason)
  return verdict.objects
}

test('without overlays there is neither autoscaler nor budget', (t) => {
  t.deepEqual(
    applied().map(({ kind }) => kind),
    ['ServiceAccount', 'Service', 'Deployment'],
  )
})

test('an overlay that speaks of them makes them', (t) => {
  const objects = applied(overlay({ horizontalPodAutoscaler: 'spec: {maxReplicas: 4}', podDisruptionBudget: '' }))
  t.deepEqual(objects.map(({ kind }) => kind).slice(3), ['HorizontalPodAutoscaler', 'PodDisruptionBudget'])
  t.deepEqual(objects[3]?.['spec'], {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'wp' },
    maxReplicas: 4,
  })
  t.deepEqual(objects[4]?.['spec'], {
    selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'wp' } },
  })
})

test('a later overlay wins over an earlier one', (t) => {
  const [first, second] = ['a: 1, b: 1', 'b: 2'].map((text) =>
    overlay({ service: `metadata: {annotations: {${text.replaceAll(/(\d)/g, '"$1"')}}}` }),
  )
  if (first === undefined || second === undefined) throw new Error('two')
  t.like(applied(first, second)[1]?.metadata['annotations'], { a: '1', b: '2' })
})

test('an overlay can not move an object, give it away or turn it into another', (t) => {
  const patch = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: other
  namespace: kube-system
  uid: x
  ownerReferences: [{uid: uid-1, $patch: delete}]
  finalizers: [a/b]
  labels: {gateway.istio.io/managed: null, gateway.networking.k8s.io/gateway-name: other, team: a}
spec:
  selector: {matchLabels: {app: victim}}
  replicas: 3
status: {}`
  const [, , object] = applied(overlay({ deployment: patch }))
  const [, , before] = applied()
  t.deepEqual(object?.metadata, {
    ...before?.metadata,
    labels: { ...before?.metadata.labels, team: 'a' },
  } as never)
  t.is(object?.apiVersion, 'apps/v1')
  t.is(object?.kind, 'Deployment')
  t.false('status' in (object ?? {}))
  t.like(object?.['spec'], {
    replicas: 3,
    selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'wp' } },
  })
})

const refused = test.macro({
  exec(t, text: string, expected: RegExp) {
    const verdict = applyOverlays(waypoint(), [overlay({ deployment: text })])
    t.regex(verdict.ok ? '' : verdict.reason, expected)
    t.regex(verdict.ok ? '' : verdict.reason, /^ConfigMap shop\/options key deployment: /)
  },
  title: (title = '') => `refused: ${title}`,
})
test('no YAML', refused, 'a: [', /:/)
test('no object', refused, '[1]', /no(t a)? YAML object/)
test('too long', refused, `a: ${'x'.repeat(MAX_OVERLAY_BYTES)}`, /longer than 65536 bytes/)
test('too deep', refused, '['.repeat(20_000), /./)
test(
  'aliases upon aliases',
  refused,
  `a: &a [x, x]\nb: &b [*a, *a]\n${Array.from({ length: 20 }, (_, i) => `c${i}: &c${i} [${i === 0 ? '*b, *b' : `*c${i - 1}, *c${i - 1}`}]`).join('\n')}`,
  /alias/i,
)

test('the class’s ConfigMaps come before the Gateway’s own, by name', (t) => {
  const classDefaults = ['b', 'a'].map((name) =>
    overlay({}, `istio-system/${name}`, { 'gateway.istio.io/defaults-for-class': 'istio-waypoint' }),
  )
  const others = [
    overlay({}, 'istio-system/c', { 'gateway.istio.io/defaults-for-class': 'other' }),
    overlay({}, 'istio-system/d'),
  ]
  const own = overlay({}, 'shop/options')
  const request = (reference?: Readonly<Record<string, string>>): ReturnType<typeof overlaysOf> =>
    overlaysOf(
      decodeGatewayRequest(
        make.gateway('shop/wp', {
          spec: reference === undefined ? {} : { infrastructure: { parametersRef: reference } },
        }),
      ),
      {
        classDefaults: [...others, ...classDefaults],
        own: (namespace, name) => (namespace === 'shop' && name === 'options' ? own : undefined),
      },
    )
  const named = (verdict: ReturnType<typeof overlaysOf>): unknown =>
    verdict.ok ? verdict.overlays.map(({ metadata }) => metadata.name) : verdict.reason
  t.deepEqual(named(request()), ['a', 'b'])
  t.deepEqual(named(request({ group: '', kind: 'ConfigMap', name: 'options' })), ['a', 'b', 'options'])
  t.is(named(request({ group: '', kind: 'ConfigMap', name: 'no' })), 'parametersRef ConfigMap shop/no does not exist')
  t.is(
    named(request({ group: '', kind: 'Secret', name: 'options' })),
    'Unsupported parametersRef group/kind /Secret, only ConfigMap is supported',
  )
})

test('of a ConfigMap only overlays are kept', (t) => {
  const map = overlay({ password: 'secret', deployment: 'spec: {}', service: 'x'.repeat(2 * MAX_OVERLAY_BYTES) })
  const { data } = trimToOverlays({ ...map, metadata: { ...map.metadata, annotations: { a: 'b' } } }) as ConfigMap
  t.deepEqual(Object.keys(data ?? {}), ['service', 'deployment'])
  t.is(data?.['service']?.length, MAX_OVERLAY_BYTES + 1)
})
