// What Gateways say of themselves while they come, change and go: listeners, routes, addresses, Secrets; and Istio's own Gateways.
import { type IncomingMessage, request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { CertificateAuthority } from '../../packages/identity/src/index.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { namespace, server } from './manifests.ts'

const LIMIT_MS = 20_000
const HOUR_MS = 3_600_000
const NODE = 'ambit-1'

const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'test' })

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'ingress-status', nodes: 1 })
  await cluster.apply(
    namespace('shop') + namespace('edge') + server('shop', 'web', NODE) + server('shop', 'other', NODE),
  )
  await cluster.must('wait', 'pod', '-n', 'shop', '--all', '--for=condition=Ready', '--timeout=60s')
})

test.serial.after.always(() => cluster?.[Symbol.asyncDispose]())

function secret(at: string, name: string, host: string): string {
  const { chainPem, keyPem } = ca.signServer({ dnsNames: [host], ttlMs: HOUR_MS })
  const encode = (pem: string): string => Buffer.from(pem).toString('base64')
  const metadata = { namespace: at, name }
  const data = { 'tls.crt': encode(chainPem), 'tls.key': encode(keyPem) }
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data })
}

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: shop}
spec:
  gatewayClassName: istio
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: https, port: 443, protocol: HTTPS, hostname: web.example, tls: {certificateRefs: [{name: web-key}]}}
    - {name: tcp, port: 9000, protocol: TCP}
---`

function route(name: string, host: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: shop}
spec:
  parentRefs: [{name: front}]
  hostnames: [${host}]
  rules: [{backendRefs: [{name: ${name}, port: 8000}]}]
---`
}

/** Where a load balancer is on this machine; low ports can be at others there. */
interface Door {
  readonly address: string
  readonly plain: number
  readonly secure: number
}

async function doorOf(at: string, service: string): Promise<Door> {
  const field = (path: string): Promise<string> =>
    cluster.must('get', 'svc', '-n', at, service, '-o', `jsonpath=${path}`)
  const address = await eventually(
    () => field('{.status.loadBalancer.ingress[0].ip}'),
    (value) => value !== '',
    LIMIT_MS,
    `address of ${service}`,
  )
  const note = await field(String.raw`{.metadata.annotations.sandbox\.ambit\.dev/load-balancer-ports}`)
  const mapped = new Map(note.split(',').map((pair) => pair.split('=') as [string, string]))
  return { address, plain: Number(mapped.get('80') ?? 80), secure: Number(mapped.get('443') ?? 443) }
}

/** Status and location of the answer, or why there is none. */
async function ask(door: Door, host: string, path: string, secure = false): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const port = secure ? door.secure : door.plain
  const options = { host: door.address, port, path, headers: { host }, agent: false, timeout: 8_000 }
  const request = secure
    ? secureRequest({ ...options, servername: host, ca: ca.rootsPem }, resolve)
    : plainRequest(options, resolve)
  request.on('error', reject)
  request.on('timeout', () => request.destroy(new Error('no answer')))
  request.end()
  try {
    const answer = await promise
    await text(answer)
    const { location } = answer.headers
    return `${answer.statusCode}${location === undefined ? '' : ` ${location}`}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? error)
  }
}

async function becomes(expected: string, ...args: Parameters<typeof ask>): Promise<void> {
  await eventually(
    () => ask(...args),
    (seen) => seen === expected,
    LIMIT_MS,
    `${args[1]}${args[2]}`,
  )
}

/** Status, reason and message of a condition, anywhere in an object's status. */
async function condition(kind: string, name: string, path: string, type: string): Promise<string> {
  const each = `{range ${path}.conditions[?(@.type=="${type}")]}{.status} {.reason}: {.message}{end}`
  return await cluster.must('get', kind, '-n', 'shop', name, '-o', `jsonpath=${each}`)
}

let front: Door

test.serial(
  'a Gateway is deployed, says what it serves and where, and answers for the hosts of its routes',
  async (t) => {
    await cluster.apply(GATEWAY + route('web', 'web.example') + route('other', '"*.other.example"'))
    await cluster.must('wait', 'gtw/front', '-n', 'shop', '--for=condition=Programmed', '--timeout=60s')
    front = await doorOf('shop', 'front-istio')
    const shown = await cluster.must('get', 'gtw', '-n', 'shop', 'front', '-o', 'jsonpath={.status.addresses[*].value}')
    t.is(shown, front.address)
    const host = 'front-istio.shop.svc.cluster.local'
    t.is(
      await condition('gtw', 'front', '.status', 'Programmed'),
      `True Programmed: Resource programmed, assigned to service(s) ${host}:80, ${host}:443, and ${host}:9000`,
    )
    t.is(
      await condition('gtw', 'front', '.status', 'Accepted'),
      'True ListenersNotValid: listeners that are not served: tcp',
    )
    t.is(
      await condition('gtw', 'front', '.status.listeners[1]', 'ResolvedRefs'),
      'False InvalidCertificateRef: invalid certificate reference core/Secret/web-key.shop, secret shop/web-key not found',
    )
    t.is(
      await condition('gtw', 'front', '.status.listeners[2]', 'Accepted'),
      'False UnsupportedProtocol: protocol "TCP" is unsupported',
    )
    t.is(
      await condition('httproute', 'web', '.status.parents[0]', 'Accepted'),
      'True Accepted: Route was valid, bound to 2 parents',
    )
    const counts = ['get', 'gtw', '-n', 'shop', 'front', '-o', 'jsonpath={.status.listeners[*].attachedRoutes}']
    t.is(await cluster.must(...counts), '2 1 0')
    t.regex(await cluster.must('get', 'pod', '-n', 'shop'), /^front-istio-\S+ +1\/1 +Running +0 /m)
    await becomes('200', front, 'web.example', '/get')
    await becomes('200', front, 'x.other.example', '/get')
    t.is(await ask(front, 'other.example', '/get'), '404')
  },
)

test.serial('HTTPS begins and ends with its Secret, whose key is shown nowhere', async (t) => {
  await cluster.apply(secret('shop', 'web-key', 'web.example'))
  await becomes('200', front, 'web.example', '/get', true)
  t.is(await condition('gtw', 'front', '.status.listeners[1]', 'ResolvedRefs'), 'True ResolvedRefs: No errors found')
  for (const deployment of [
    ['-n', 'shop', 'deploy/front-istio'],
    ['-n', 'istio-system', 'deploy/istiod'],
  ])
    t.false((await cluster.must('logs', ...deployment, '--tail=-1')).includes('PRIVATE KEY'))
  await cluster.must('delete', 'secret', '-n', 'shop', 'web-key')
  await eventually(
    () => ask(front, 'web.example', '/get', true),
    (seen) => !/^\d/.test(seen),
    LIMIT_MS,
    'no connection without a certificate',
  )
  t.is(await ask(front, 'web.example', '/get'), '200')
})

test.serial(
  'with a Service of another type the Gateway’s own name is its address; deleted, all of it goes',
  async (t) => {
    await cluster.must('annotate', 'gtw', '-n', 'shop', 'front', 'networking.istio.io/service-type=ClusterIP')
    const shown = (): Promise<string> => cluster.must('get', 'gtw', '-n', 'shop', 'front')
    const table = await eventually(shown, (seen) => seen.includes('svc.cluster.local'), LIMIT_MS, 'the address')
    t.regex(table, /^front +istio +front-istio\.shop\.svc\.cluster\.local +True /m)
    await cluster.must('delete', 'gtw', '-n', 'shop', 'front')
    const label = 'gateway.networking.k8s.io/gateway-name=front'
    const left = (): Promise<string> => cluster.must('get', 'deploy,svc,sa', '-n', 'shop', '-l', label, '-o', 'name')
    await eventually(left, (names) => names === '', LIMIT_MS, 'everything goes with its Gateway')
    const parents = ['get', 'httproute', '-n', 'shop', 'web', '-o', 'jsonpath={.status.parents}']
    await eventually(
      () => cluster.must(...parents),
      (said) => said === '' || said === '[]',
      LIMIT_MS,
      'nothing is said of a parent that is gone',
    )
  },
)

test.serial(
  'Istio’s own Gateway and VirtualService: HTTP that leads to HTTPS, by the key beside the gateway',
  async (t) => {
    const gateway = 'components.ingressGateways[0]'
    const flags = ['profile=ambient', `${gateway}.enabled=true`, `${gateway}.name=istio-ingressgateway`]
    const { code, stdout, stderr } = await cluster.ambit('install', '-y', ...flags.flatMap((flag) => ['--set', flag]))
    t.is(code, 0, stdout + stderr)
    await cluster.apply(secret('istio-system', 'web-key', 'web.example'))
    await cluster.apply(`
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front, namespace: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
    - {port: {number: 80, name: http, protocol: HTTP}, hosts: [shop/web.example], tls: {httpsRedirect: true}}
    - port: {number: 443, name: https, protocol: HTTPS}
      hosts: [shop/web.example]
      tls: {mode: SIMPLE, credentialName: web-key}
    - {port: {number: 80, name: plain, protocol: HTTP}, hosts: ["*.other.example"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [web.example, x.other.example]
  gateways: [edge/front]
  http:
    - {match: [{uri: {prefix: /get}}], route: [{destination: {host: web, port: {number: 8000}}}]}
    - {match: [{uri: {exact: /moved}}], redirect: {uri: /get}}
---`)
    const edge = await doorOf('istio-system', 'istio-ingressgateway')
    await becomes('200', edge, 'web.example', '/get', true)
    t.is(await ask(edge, 'web.example', '/get?a=b'), '301 https://web.example/get?a=b')
    t.is(await ask(edge, 'x.other.example', '/get'), '200')
    t.is(await ask(edge, 'x.other.example', '/headers'), '404')
    t.is(await ask(edge, 'x.other.example', '/moved'), '301 http://x.other.example/get')
    t.is(await ask(edge, 'y.other.example', '/get'), '404')
  },
)
