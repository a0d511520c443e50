import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import fc from 'fast-check'
import { Mesh } from './support/mesh.ts'

const KINDS = [
  'Pod',
  'Service',
  'EndpointSlice',
  'ServiceEntry',
  'WorkloadEntry',
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'HTTPRoute',
  'GRPCRoute',
  'ReferenceGrant',
  'Gateway',
  'GatewayClass',
  'Namespace',
  'Node',
]
const WORDS = [
  'spec',
  'status',
  'rules',
  'from',
  'to',
  'when',
  'source',
  'operation',
  'principals',
  'ports',
  'key',
  'values',
  'port',
  'number',
  'targetPort',
  'name',
  'selector',
  'matchLabels',
  'hosts',
  'addresses',
  'endpoints',
  'address',
  'weight',
  'resolution',
  'podIPs',
  'ip',
  'phase',
  'containers',
  'containerPort',
  'mtls',
  'mode',
  'portLevelMtls',
  '8080',
  'conditions',
  'listeners',
  'allowedRoutes',
  'namespaces',
  'targetRefs',
  'workloadSelector',
  'labels',
  'app',
  'clusterIPs',
  'targetRef',
  'kind',
  'location',
  'parentRefs',
  'matches',
  'path',
  'method',
  'service',
  'headers',
  'value',
  'type',
  'filters',
  'requestRedirect',
  'urlRewrite',
  'requestMirror',
  'backendRefs',
  'backendRef',
  'filter',
  'timeouts',
  'request',
  'retry',
  'codes',
  'fraction',
  'numerator',
  'denominator',
]
const VALUES = [
  '10.0.0.1',
  '::1',
  'fd00::/8',
  '*',
  'x*',
  'Running',
  'STRICT',
  'STATIC',
  'DNS',
  'DENY',
  'source.ip',
  'destination.port',
  '99999',
  '-1',
  'Pod',
  'Service',
  'Gateway',
  'GatewayClass',
  'x',
  'istio-waypoint',
  'RegularExpression',
  'RequestMirror',
  'URLRewrite',
  '(',
  '\ud800',
  '__proto__',
]

/** JSON that looks like what we read, but is put together at random. */
const { node } = fc.letrec((tie) => ({
  leaf: fc.oneof(fc.constantFrom<unknown>(...VALUES, null, true, -1, 0, 80, 70_000, 2 ** 40, 1.5), fc.string()),
  record: fc.dictionary(fc.constantFrom(...WORDS), tie('node'), { maxKeys: 6 }),
  list: fc.array(tie('node'), { maxLength: 3 }),
  node: fc.oneof({ depthSize: 'large', withCrossShrink: true }, tie('leaf'), tie('record'), tie('list')),
}))
const fields = fc.record({ spec: node, status: node, addressType: node, ports: node, endpoints: node })
const labels = fc.dictionary(
  fc.constantFrom(
    'app',
    'kubernetes.io/service-name',
    'istio.io/use-waypoint',
    'topology.istio.io/locality',
    'gateway.networking.k8s.io/gateway-name',
  ),
  fc.constantFrom('x', '', 'none', '/', '\ud800'),
)
const anyObject = fc.record({ kind: fc.constantFrom(...KINDS), name: fc.constantFrom('x', 'y'), labels, fields }).map(
  (o): KubeObject => ({
    apiVersion: 'v1',
    kind: o.kind,
    metadata: { namespace: 'a', name: o.name, labels: o.labels },
    ...o.fields,
  }),
)

test('no object, however misshapen, stops the index or fails to compile', (t) => {
  fc.assert(
    fc.property(fc.array(anyObject, { minLength: 1, maxLength: 8 }), (objects) => {
      const mesh = new Mesh()
      const failed: string[] = []
      mesh.index.onError((unit, error) => failed.push(`${unit}: ${String(error)}`))
      mesh.apply(...objects)
      t.deepEqual(failed, [])
    }),
    { numRuns: 2_000 },
  )
})
