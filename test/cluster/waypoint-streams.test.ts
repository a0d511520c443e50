// What is no short request: upgrades, TCP, large bodies, and a replica that goes under load.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { applyWaypoint, BY_WAYPOINT, fetchFrom, waypointIps, waypointLog } from '../support/waypoints.ts'
import { AMBIENT, client, namespace } from './manifests.ts'

const EFFECT_LIMIT_MS = 1000
const START_LIMIT_MS = 15_000
const ECHO = 'http://echo.shop:8080'
const BODY_BYTES = 20_000_000

let cluster: Cluster
let alice: PodShell

const pod = (name: string, image: string, port: number, args = '[]'): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: shop, labels: {app: ${name}}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ambit-2}
  containers: [{name: main, image: ${image}, args: ${args}, readinessProbe: {tcpSocket: {port: ${port}}, periodSeconds: 1}}]
---`
/** A port without a name is looked at: is it HTTP? */
const service = (name: string, port: string, app: string = name): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop}
spec: {selector: {app: ${app}}, ports: [${port}]}
---`

test.serial.before(async () => {
  cluster = await startCluster({ name: 'waypoint-streams' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      pod('echo', 'ambit/echo', 8080) +
      service('echo', '{port: 8080}') +
      service('plain', '{name: http, port: 8080}', 'echo') +
      pod('tcp', 'istio/tcp-echo-server', 9000, "['9000', hello]") +
      service('tcp', '{name: tcp, port: 9000}'),
  )
  await applyWaypoint(cluster, '-n', 'shop', '--enroll-namespace')
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people')
  alice = new PodShell(cluster, 'people/alice')
  await eventually(
    () => fetchFrom(alice, `${ECHO}/`),
    ({ head, status }) => BY_WAYPOINT.test(head) && status === 200,
    START_LIMIT_MS,
    'requests go through the waypoint',
  )
})

test.serial.after.always(async () => {
  await alice?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('20 MB go up and come back as they were', async (t) => {
  await alice.run(`head -c ${BODY_BYTES} /dev/urandom > /tmp/body`)
  const sent = await alice.run('sha256sum < /tmp/body')
  const ways = [
    ECHO,
    `-H transfer-encoding:chunked ${ECHO}`,
    // The server knows HTTP/1.1 only; its port's name says so to the waypoint.
    '--http2-prior-knowledge http://plain.shop:8080',
  ]
  for (const way of ways) {
    const back = await alice.run(
      `curl -sS --max-time 25 -D /tmp/head --data-binary @/tmp/body ${way}/ | sha256sum; grep -ci 'server: istio-envoy' /tmp/head`,
    )
    t.is(back, `${sent}1\n`, way)
  }
})

test.serial('a WebSocket: bytes both ways once the server has agreed', async (t) => {
  const request = [
    'GET /chat HTTP/1.1',
    'Host: echo.shop',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    // Key and answer are the example of RFC 6455.
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ].join('\\r\\n')
  const script = `
exec 3<>/dev/tcp/echo.shop/8080
printf "${request}\\r\\n\\r\\n" >&3
while read -r -t 5 line <&3 && test -n "\${line%?}"; do echo "$line"; done
for word in one two; do echo "$word" >&3; read -r -t 5 back <&3; echo "back: $back"; done`
  const text = await alice.run(`timeout 10 bash -c '${script}'`)
  t.regex(text, /^HTTP\/1\.1 101 Switching Protocols\r$/m)
  t.regex(text, /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im)
  t.true(text.endsWith('back: one\nback: two\n'), text)
})

const talk = (shell: PodShell): Promise<string> =>
  shell.run(`timeout 5 bash -c 'exec 3<>/dev/tcp/tcp.shop/9000; echo world >&3; read -r back <&3; echo "$back"'`)

test.serial('TCP: counted, and policed by who connects', async (t) => {
  t.is(await talk(alice), 'hello world\n')
  const [ip] = await waypointIps(cluster, 'shop')
  const metric =
    /^istio_tcp_connections_opened_total\{reporter="waypoint",.*source_principal="spiffe:\/\/cluster\.local\/ns\/people\/sa\/alice",.*destination_service="tcp\.shop\.svc\.cluster\.local",.*request_protocol="tcp",/m
  await eventually(
    () => alice.run(`curl -s http://${ip}:15020/stats/prometheus`),
    (text) => metric.test(text),
    EFFECT_LIMIT_MS,
    'the connection is counted',
  )
  await cluster.apply(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-alice, namespace: shop}
spec:
  targetRefs: [{group: '', kind: Service, name: tcp}]
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/people/sa/alice]}}]}]
---`)
  await using mallory = new PodShell(cluster, 'people/mallory')
  await eventually(
    () => talk(mallory),
    (text) => !text.includes('hello'),
    EFFECT_LIMIT_MS,
    'mallory is refused',
  )
  t.is(await talk(alice), 'hello world\n')
})

const REQUESTS = 60
/** So many that both replicas have some. */
const KEPT_CONNECTIONS = 4
const TOTAL = REQUESTS * (1 + KEPT_CONNECTIONS)

/** Statuses of requests, over connections that are kept and over one each, while a replica goes in their midst. */
async function whileOneGoes(...how: readonly string[]): Promise<Record<string, number>> {
  await cluster.must('scale', 'deploy', '-n', 'shop', 'waypoint', '--replicas=2')
  await eventually(
    async () => (await cluster.ambit('zc', 'services', '-n', 'shop')).stdout,
    (text) => /^shop +waypoint +\S+ +None +2\/2$/m.test(text),
    START_LIMIT_MS,
    'ztunnel knows both replicas',
  )
  const label = 'gateway.networking.k8s.io/gateway-name=waypoint'
  const path = 'jsonpath={.items[0].metadata.name}'
  const victim = await cluster.must('get', 'pod', '-n', 'shop', '-l', label, '-o', path)
  await using other = new PodShell(cluster, 'people/alice')
  const curl = `curl -s -o /dev/null --max-time 10 -w '%{http_code}\\n'`
  const single = alice.run(
    `: > /tmp/single; for i in $(seq ${REQUESTS}); do ${curl} -d x=$i ${ECHO}/ >> /tmp/single; done; cat /tmp/single`,
  )
  const numbers = Array.from({ length: KEPT_CONNECTIONS }, (_, number) => number).join(' ')
  const kept = other.run(
    `for k in ${numbers}; do ${curl} --rate 20/s '${ECHO}/#[1-${REQUESTS}]' > /tmp/kept$k & done; wait; cat /tmp/kept*`,
  )
  const goes = async (): Promise<void> => {
    await eventually(
      () => cluster.kubectl('exec', '-n', 'people', 'alice', '--', 'wc', '-l', '/tmp/single'),
      ({ stdout }) => Number.parseInt(stdout, 10) > REQUESTS / 10,
      START_LIMIT_MS,
      'requests are under way',
    )
    await cluster.must('delete', 'pod', '-n', 'shop', victim, '--wait=false', ...how)
  }
  const [lines, keptLines] = await Promise.all([single, kept, goes()])
  // While it ends it is still listed, and might be taken for one that can go.
  await cluster.must('wait', 'pod', '-n', 'shop', victim, '--for=delete', '--timeout=60s')
  const counts: Record<string, number> = {}
  for (const status of `${lines}${keptLines}`.trim().split('\n')) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

test.serial('one of two replicas is deleted under load: no request fails', async (t) => {
  t.deepEqual(await whileOneGoes(), { 200: TOTAL })
})

test.serial('one of two replicas is killed under load: no request fails but what was in flight on it', async (t) => {
  const counts = await whileOneGoes('--force', '--grace-period=0')
  t.true((counts[200] ?? 0) >= TOTAL - 1 - KEPT_CONNECTIONS, JSON.stringify(counts))
})

test.serial('the waypoint warned of nothing of its own', async (t) => {
  t.notRegex(await waypointLog(cluster, 'shop'), /Warning|\terror\t|trace-warnings/)
})
