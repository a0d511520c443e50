import { ip } from '@ambit/core'
import test from 'ava'
import fc from 'fast-check'
import {
  type Baggage,
  formatBaggage,
  formatForwarded,
  newTraceParent,
  parseBaggage,
  parseForwardedHost,
  parseTraceParent,
} from '../src/index.ts'
import { MAX_HEADER_VALUE_LENGTH } from '../src/limits.ts'

const FULL: Baggage = {
  clusterName: 'Kubernetes',
  namespace: 'shop',
  workloadType: 'deployment',
  workloadName: 'cart',
  serviceName: 'cart',
  serviceVersion: 'v1',
  region: 'eu',
  zone: 'eu-1',
}

test('headers are read up to their limit', (t) => {
  const filler = 'x'.repeat(MAX_HEADER_VALUE_LENGTH)
  t.is(parseBaggage(`service.name=a,${filler},service.version=v1`).serviceName, 'a')
  t.is(parseBaggage(`service.name=a,${filler},service.version=v1`).serviceVersion, undefined)
  t.is(parseForwardedHost(`host=a;for=${filler}`), undefined)
})

test("baggage has Istio's keys in Istio's order", (t) => {
  t.is(
    formatBaggage(FULL),
    'k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=cart,service.name=cart,service.version=v1,cloud.region=eu,cloud.availability_zone=eu-1',
  )
})

test('empty baggage fields are left out', (t) => {
  t.is(formatBaggage({ namespace: 'shop', serviceName: '', region: undefined }), 'k8s.namespace.name=shop')
  t.is(formatBaggage({}), '')
})

const value = fc.stringMatching(/^[a-zA-Z0-9._/-]{1,30}$/)
const type = fc.constantFrom('deployment', 'cronjob', 'pod', 'job')

test('baggage is read back', (t) => {
  const baggage = fc.record({
    clusterName: value,
    namespace: value,
    workloadType: type,
    workloadName: value,
    serviceName: value,
    serviceVersion: value,
    region: value,
    zone: value,
  })
  fc.assert(
    fc.property(
      baggage,
      (one) => t.deepEqual(parseBaggage(formatBaggage(one as Baggage)), one as Baggage) as unknown as void,
    ),
  )
})

test('a value with a separator or a control character cannot add fields', (t) => {
  t.is(formatBaggage({ namespace: 'a,k8s.cluster.name=evil', serviceName: 'x\r\ny' }), '')
  t.is(formatForwarded({ ip: ip('10.0.0.1'), port: 1 }, 'a;for=evil'), 'for="10.0.0.1:1"')
})

test('several baggage headers count, unknown keys and empty values do not', (t) => {
  const parsed = parseBaggage(['service.name=a,x=y', 'cloud.region=,k8s.namespace.name= ns '])
  t.is(parsed.serviceName, 'a')
  t.is(parsed.namespace, 'ns')
  t.is(parsed.region, undefined)
})

test('forwarded names the client, bracketed and quoted, and the service', (t) => {
  t.is(formatForwarded({ ip: ip('10.0.0.1'), port: 80 }), 'for="10.0.0.1:80"')
  t.is(
    formatForwarded({ ip: ip('::1'), port: 80 }, 'a.b.svc.cluster.local'),
    'for="[::1]:80";host=a.b.svc.cluster.local',
  )
})

for (const [header, host] of [
  ['for="10.0.0.1:80";host=a.b', 'a.b'],
  ['host="a.b";for=x', 'a.b'],
  ['for=x', undefined],
  ['host=', undefined],
  ['host=""', undefined],
  ['host=ä', undefined],
  [undefined, undefined],
] as const) {
  test(`the host of ${header} is ${host}`, (t) => {
    t.is(parseForwardedHost(header), host)
  })
}

test('a new trace parent is 55 characters and is read back', (t) => {
  const header = newTraceParent()
  t.is(header.length, 55)
  t.regex(header, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  const parsed = parseTraceParent(header)
  t.is(`00-${parsed?.traceId}-${parsed?.spanId}-00`, header)
})

test('anything else than 55 characters of hexadecimal is no trace parent', (t) => {
  t.is(parseTraceParent(undefined), undefined)
  t.is(parseTraceParent(`${newTraceParent()}0`), undefined)
  t.is(parseTraceParent(newTraceParent().replace(/[0-9a-f]{4}-00$/, 'wxyz-00')), undefined)
})

test('arbitrary headers never throw', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseBaggage(text)
      parseForwardedHost(text)
      parseTraceParent(text)
    }),
  )
  t.pass()
})
