// What an ingress gateway does with requests and connections from outside the cluster, and who pods see behind them.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import test from 'ava'
import { CertificateMaker } from '../../packages/testing/src/index.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { runCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { curlFrom, enrolled, ready } from '../support/mesh.ts'
import { applyWaypoint } from '../support/waypoints.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

const EFFECT_LIMIT_MS = 2000
const START_LIMIT_MS = 30_000
const HOST = 'shop.example.com'
const ACCOUNT = 'cluster.local/ns/edge/sa/front-istio'

const certificates = new CertificateMaker()
let cluster: Cluster
/** Where the gateway's Service is reached from this machine. */
let address: string

interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** curl on this machine, which is no part of the cluster. */
async function ask(url: string, ...args: readonly string[]): Promise<Answer> {
  const flags = ['-sS', '-i', '--max-time', '5', '--noproxy', '*', '--connect-to', `::${address}:`]
  const { stdout } = await runCommand('curl', [...flags, ...args, url])
  const end = stdout.indexOf('\r\n\r\n')
  const head = end < 0 ? stdout : stdout.slice(0, end)
  return { status: Number(/^HTTP\/\S+ (\d+)/.exec(head)?.[1] ?? 0), head, body: end < 0 ? '' : stdout.slice(end + 4) }
}

async function becomes(status: number, what: string, url: string, ...args: readonly string[]): Promise<Answer> {
  return await eventually(
    () => ask(url, ...args),
    (answer) => answer.status === status,
    EFFECT_LIMIT_MS,
    what,
  )
}

function secret(names: readonly string[]): string {
  const { chainPem, keyPem } = certificates.server(names)
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shop-cert', namespace: 'edge' },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': chainPem, 'tls.key': keyPem },
  })
}

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, namespace: edge}
spec:
  gatewayClassName: istio
  listeners:
    - {name: http, port: 80, protocol: HTTP, hostname: '*.example.com', allowedRoutes: {namespaces: {from: All}}}
    - name: https
      port: 443
      protocol: HTTPS
      hostname: ${HOST}
      tls: {mode: Terminate, certificateRefs: [{name: shop-cert}]}
      allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: front, namespace: edge}]
  hostnames: [${HOST}]
  rules: [{backendRefs: [{name: web, port: 8000}]}]
---`

test.serial.before(async () => {
  cluster = await startCluster({ name: 'ingress', nodes: 1 })
  await cluster.apply(
    namespace('edge') +
      namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      server('shop', 'web', 'ambit-1') +
      GATEWAY,
  )
  await cluster.must('wait', 'gtw', '-n', 'edge', 'front', '--for=condition=Programmed', '--timeout=60s')
  await ready(cluster, 'people', 'shop', 'edge')
  await enrolled(cluster, 'people', 'shop')
  address = await cluster.must('get', 'gtw', '-n', 'edge', 'front', '-o', 'jsonpath={.status.addresses[0].value}')
  await eventually(
    () => ask(`http://${HOST}/get`),
    ({ status }) => status === 200,
    START_LIMIT_MS,
    'the gateway answers',
  )
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('HTTP: the host decides, and the application hears of the client', async (t) => {
  const { head, body } = await ask(`http://${HOST}/headers`, '-H', 'x-envoy-internal: true', '-H', 'x-request-id: mine')
  t.regex(head, /^server: istio-envoy\r?$/im)
  const { headers } = JSON.parse(body) as { headers: Record<string, string[] | undefined> }
  t.deepEqual(headers['Host'], [HOST])
  t.deepEqual(headers['X-Forwarded-Proto'], ['http'])
  const [forwarded = ''] = headers['X-Forwarded-For'] ?? []
  t.deepEqual(headers['X-Envoy-External-Address'], [forwarded])
  t.is(headers['X-Envoy-Internal'], undefined)
  t.notDeepEqual(headers['X-Request-Id'], ['mine'])
  for (const url of ['http://other.example.com/get', 'http://example.org/get']) {
    const answer = await ask(url)
    t.is(answer.status, 404, url)
    t.is(answer.body, '')
  }
})

test.serial('the pod lets nobody but the gateway’s account in', async (t) => {
  await cluster.apply(
    policy('shop', 'only-gateway', 'web', 'ALLOW', [{ from: [{ source: { principals: [ACCOUNT] } }] }]),
  )
  await eventually(
    () => curlFrom(cluster, 'people/alice', 'http://web.shop:8000/get'),
    ({ code }) => code === 56,
    EFFECT_LIMIT_MS,
    'alice is refused',
  )
  t.is((await ask(`http://${HOST}/get`)).status, 200)
  await cluster.apply(
    policy('shop', 'only-gateway', 'web', 'ALLOW', [{ from: [{ source: { principals: [`${ACCOUNT}-not`] } }] }]),
  )
  const { body } = await becomes(503, 'the gateway is refused', `http://${HOST}/get`)
  t.regex(body, /^upstream connect error/)
  await cluster.must('delete', 'authorizationpolicy', '-n', 'shop', 'only-gateway')
  await becomes(200, 'all are let in again', `http://${HOST}/get`)
})

/** A policy for requests of one target. */
function denying(namespaceName: string, name: string, target: unknown, operation: unknown): string {
  return JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: namespaceName },
    spec: { targetRefs: [target], action: 'DENY', rules: [{ to: [{ operation }] }] },
  })
}

/** A connection as a browser has it. */
async function secured(servername: string): Promise<TLSSocket> {
  const socket = connect({ host: address, port: 443, servername, ca: certificates.rootsPem })
  await once(socket, 'secureConnect')
  return socket
}

test.serial('HTTPS with the Secret’s certificate, which is replaced under open connections', async (t) => {
  const written = (): Promise<string> =>
    cluster.must(
      'get',
      'gtw',
      '-n',
      'edge',
      'front',
      '-o',
      'jsonpath={.status.listeners[1].conditions[?(@.type=="ResolvedRefs")].status}',
    )
  t.is(await written(), 'False', 'there is no such Secret yet')
  await t.throwsAsync(secured(HOST))
  await cluster.apply(secret([HOST]))
  await eventually(
    () =>
      secured(HOST).then(
        (socket) => socket.end().getPeerX509Certificate()?.subjectAltName,
        () => undefined,
      ),
    (names) => names === `DNS:${HOST}`,
    EFFECT_LIMIT_MS,
    'the gateway has the certificate',
  )
  await eventually(written, (status) => status === 'True', EFFECT_LIMIT_MS, 'the status says so')
  await t.throwsAsync(secured('other.example.com'), undefined, 'a name no listener has')
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: certificates.rootsPem })
  const options: RequestOptions = { agent, host: address, servername: HOST, headers: { host: HOST }, path: '/headers' }
  const get = async (): Promise<{ readonly serial: string | undefined; readonly body: string }> => {
    const sent = request(options).end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    const serial = (response.socket as TLSSocket).getPeerX509Certificate()?.serialNumber
    let body = ''
    for await (const chunk of response) body += String(chunk)
    return { serial, body }
  }
  const before = await get()
  t.regex(before.body, /"X-Forwarded-Proto": \[\s*"https"/)
  await cluster.apply(secret([HOST]))
  await eventually(
    async () => (await secured(HOST)).end().getPeerX509Certificate()?.serialNumber,
    (serial) => serial !== before.serial,
    EFFECT_LIMIT_MS,
    'the new certificate is shown',
  )
  t.is((await get()).serial, before.serial, 'the connection went on')
  agent.destroy()
})

test.serial('a policy for the Gateway judges requests there', async (t) => {
  const target = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' }
  await cluster.apply(denying('edge', 'no-delete', target, { methods: ['DELETE'] }))
  const { body } = await becomes(403, 'the policy holds', `http://${HOST}/delete`, '-X', 'DELETE')
  t.is(body, 'RBAC: access denied')
  t.is((await ask(`http://${HOST}/get`)).status, 200)
  await cluster.must('delete', 'authorizationpolicy', '-n', 'edge', 'no-delete')
  await becomes(200, 'it is gone', `http://${HOST}/delete`, '-X', 'DELETE')
})

test.serial('requests go by the waypoint only where the service says so', async (t) => {
  await applyWaypoint(cluster, '-n', 'shop', '--enroll-namespace')
  await cluster.apply(denying('shop', 'no-ip', { group: '', kind: 'Service', name: 'web' }, { paths: ['/ip'] }))
  await eventually(
    () => curlFrom(cluster, 'people/alice', '-o', '/dev/null', '-w', '%{http_code}', 'http://web.shop:8000/ip'),
    ({ stdout }) => stdout === '403',
    START_LIMIT_MS,
    'the waypoint denies alice',
  )
  t.is((await ask(`http://${HOST}/ip`)).status, 200, 'the gateway goes to the pod')
  await cluster.must('label', 'service', '-n', 'shop', 'web', 'istio.io/ingress-use-waypoint=true')
  await becomes(403, 'the waypoint denies what comes in', `http://${HOST}/ip`)
  t.is((await ask(`http://${HOST}/get`)).status, 200)
  await cluster.must('label', 'service', '-n', 'shop', 'web', 'istio.io/ingress-use-waypoint-')
  await becomes(200, 'the gateway goes to the pod again', `http://${HOST}/ip`)
  // Of the namespace when the service has none.
  await cluster.must('label', 'namespace', 'shop', 'istio.io/ingress-use-waypoint=true')
  await becomes(403, 'the namespace asks for the waypoint', `http://${HOST}/ip`)
})
