// Services of every type, from inside and from the machine, and NetworkPolicies: a sandbox without the mesh.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { client, namespace } from './manifests.ts'

const NODES = ['172.18.0.2', '172.18.0.3']
/** Seconds after which a packet that nobody answers counts as dropped. */
const SILENCE = 1

let cluster: Cluster
let shell: PodShell

/** A pod that tells who it is, and who asks. */
function teller(
  name: string,
  node: string,
  more: { labels?: string; subdomain?: string; ready?: string } = {},
): string {
  return `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: net, labels: {app: teller, name: ${name}${more.labels ?? ''}}}
spec:
  hostname: ${name}
  ${more.subdomain === undefined ? '' : `subdomain: ${more.subdomain}`}
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${node}}
  containers:
    - name: c
      image: registry.k8s.io/e2e-test-images/agnhost:2.53
      args: [netexec, --http-port=8080, --udp-port=8081]
      ports: [{name: http, containerPort: 8080}, {name: udp, containerPort: 8081, protocol: UDP}]
      readinessProbe: {httpGet: {path: ${more.ready ?? '/healthz'}, port: http}, periodSeconds: 1}
---`
}

function service(name: string, spec: string, selector = 'selector: {app: teller}'): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: net}
spec:
  ${selector}
  ${spec}
---`
}

const HTTP = 'ports: [{name: http, port: 80, targetPort: http}]'

test.serial.before(async () => {
  cluster = await startCluster({ name: 'services', mesh: false })
  await cluster.apply(
    namespace('net') +
      namespace('guests', { team: 'guests' }) +
      client('net', 'asker', 'ambit-1') +
      client('guests', 'stranger', 'ambit-2') +
      teller('one', 'ambit-1', { subdomain: 'crowd' }) +
      teller('two', 'ambit-2', { subdomain: 'crowd' }) +
      service('plain', HTTP) +
      service('crowd', `clusterIP: None\n  ${HTTP}`) +
      service('near', `internalTrafficPolicy: Local\n  ${HTTP}`) +
      service('sticky', `sessionAffinity: ClientIP\n  ${HTTP}`) +
      service('both', `ipFamilyPolicy: RequireDualStack\n  ${HTTP}`) +
      service('six', `ipFamilies: [IPv6]\n  ${HTTP}`) +
      service('outward', `externalIPs: [192.0.2.80]\n  ${HTTP}`) +
      service('doors', `type: NodePort\n  ${HTTP}`) +
      service('kept', `type: NodePort\n  externalTrafficPolicy: Local\n  ${HTTP}`, 'selector: {name: two}') +
      service('alias', 'type: ExternalName\n  externalName: plain.net.svc.cluster.local', '') +
      service(
        'balanced',
        `type: LoadBalancer
  ports:
    - {name: http, port: 80, targetPort: http}
    - {name: udp, port: 5000, targetPort: udp, protocol: UDP}`,
      ) +
      service('manual', 'clusterIP: None\n  ports: [{name: http, port: 8080}]', ''),
  )
  await ready(cluster, 'net', 'guests')
  shell = new PodShell(cluster, 'net/asker')
})

test.serial.after.always(async () => {
  await shell?.[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

const field = (name: string, path: string): Promise<string> =>
  cluster.must('get', 'service', '-n', 'net', name, '-o', `jsonpath=${path}`)

/** What the asker reads, or curl's exit code. */
async function asked(url: string, from: PodShell = shell): Promise<string> {
  return (await from.run(`curl -s --max-time ${SILENCE} http://${url} || echo " exit $?"`)).trim()
}

async function everyAnswer(url: string, times = 12): Promise<string[]> {
  const answers = await shell.run(
    `for i in $(seq ${times}); do curl -s --max-time ${SILENCE} http://${url} || echo " exit $?"; echo; done`,
  )
  return [...new Set(answers.split('\n').filter((line) => line !== ''))].sort()
}

/** Waits until an answer fits; what went wrong meanwhile counts as an answer. */
function becomes(ask: () => Promise<string>, fits: RegExp): Promise<string> {
  const answer = (): Promise<string> => ask().catch((error: Error) => error.message)
  return eventually(answer, (text) => fits.test(text), 10_000, String(fits))
}

const BOTH = ['one', 'two']
const ANYBODY = /^(one|two)$/

/** What the machine itself reads. */
async function fromMachine(host: string, port: string, path = '/hostname'): Promise<string> {
  const request = get({ host, port, path, agent: false, timeout: 3000 })
  request.on('timeout', () => request.destroy(new Error('timeout')))
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return await text(response)
}

async function datagramFromMachine(host: string, port: number, message: string): Promise<string> {
  const socket = createSocket('udp4')
  try {
    const answer = once(socket, 'message', { signal: AbortSignal.timeout(3000) }) as Promise<[Buffer]>
    socket.send(message, port, host)
    return String((await answer)[0])
  } finally {
    socket.close()
  }
}

/** Port under which the machine has a port of the load balancer: another one where low ports are for root. */
async function machinePort(name: string, port: number): Promise<string> {
  const note = await field(name, '{.metadata.annotations.sandbox\\.ambit\\.dev/load-balancer-ports}')
  const mapped = new Map(note.split(',').map((pair) => pair.split('=') as [string, string]))
  return mapped.get(String(port)) ?? String(port)
}

test.serial('a cluster address leads to every ready pod, a headless name to their addresses', async (t) => {
  t.deepEqual(await everyAnswer('plain/hostname'), BOTH)
  const ips = await cluster.must(
    'get',
    'pods',
    '-n',
    'net',
    '-l',
    'app=teller',
    '-o',
    'jsonpath={.items[*].status.podIP}',
  )
  const named = (await shell.run('getent ahostsv4 crowd')).matchAll(/^\S+/gm)
  t.deepEqual([...new Set([...named].map(([ip]) => ip))].sort(), ips.split(' ').sort())
  t.is(await asked('one.crowd:8080/hostname'), 'one')
  t.is(await asked('two.crowd.net.svc.cluster.local:8080/hostname'), 'two')
})

test.serial('a headless service without a selector has the endpoints that somebody writes', async (t) => {
  const ip = await cluster.must('get', 'pod', '-n', 'net', 'two', '-o', 'jsonpath={.status.podIP}')
  await cluster.apply(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: manual-1, namespace: net, labels: {kubernetes.io/service-name: manual}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [${ip}], conditions: {ready: true}}]
`)
  await becomes(() => asked('manual:8080/hostname'), /^two$/)
  t.is(await field('manual', '{.spec.ipFamilyPolicy}'), 'RequireDualStack')
})

test.serial('a pod that is not ready is in a service only if that publishes it', async (t) => {
  await cluster.apply(
    teller('late', 'ambit-1', { labels: ', late: "yes"', ready: '/never' }) +
      service('patient', HTTP, 'selector: {late: "yes"}') +
      service('eager', `clusterIP: None\n  publishNotReadyAddresses: true\n  ${HTTP}`, 'selector: {late: "yes"}'),
  )
  await cluster.must('wait', 'pod', '-n', 'net', 'late', '--for=jsonpath={.status.phase}=Running', '--timeout=20s')
  await becomes(() => asked('eager:8080/hostname'), /^late$/)
  t.is(await asked('patient/hostname'), 'exit 7', 'refused at once')
  await cluster.must('delete', 'pod', '-n', 'net', 'late', '--now')
})

test.serial('an alias leads where it says', async (t) => {
  t.is(await asked('alias/hostname').then((name) => ['one', 'two'].includes(name)), true)
  t.regex(await shell.run('getent ahostsv4 alias'), /plain\.net\.svc\.cluster\.local/)
})

test.serial('local policy inside, affinity, and an external address', async (t) => {
  t.deepEqual(await everyAnswer('near/hostname'), ['one'])
  t.is((await everyAnswer('sticky/hostname')).length, 1)
  t.deepEqual(await everyAnswer('192.0.2.80/hostname'), BOTH)
})

test.serial('both families: addresses, slices and names of each', async (t) => {
  const [four = '', six = ''] = (await field('both', '{.spec.clusterIPs[*]}')).split(' ')
  t.regex(`${four} ${six}`, /^10\.96\.\S+ fd00:10:96::\S+$/)
  t.deepEqual(await everyAnswer(`${four}/hostname`), BOTH)
  t.deepEqual(await everyAnswer(`[${six}]/hostname`), BOTH)
  const types = ['get', 'endpointslices', '-n', 'net', '-l', 'kubernetes.io/service-name=both']
  t.deepEqual((await cluster.must(...types, '-o', 'jsonpath={.items[*].addressType}')).split(' ').sort(), [
    'IPv4',
    'IPv6',
  ])
  t.regex(await shell.run('getent ahostsv6 six'), /fd00:10:96::/)
  t.deepEqual(await everyAnswer('six/hostname'), BOTH)
})

test.serial('a node port is open on every node, and on the loopback of the machine', async (t) => {
  const port = await field('doors', '{.spec.ports[0].nodePort}')
  for (const node of NODES) t.deepEqual(await everyAnswer(`${node}:${port}/hostname`), BOTH)
  t.regex(await asked(`${NODES[1]}:${port}/clientip`), /^(172\.18\.0\.|10\.244\.)/)
  await becomes(() => fromMachine('127.0.0.1', port), ANYBODY)
})

test.serial(
  'with the local policy outside the client keeps its address, and only nodes with a pod answer',
  async (t) => {
    const port = await field('kept', '{.spec.ports[0].nodePort}')
    await becomes(() => fromMachine('127.0.0.1', port, '/clientip'), /^172\.18\.0\.1:/)
    t.is(await fromMachine('127.0.0.1', port), 'two')
  },
)

test.serial('nodes tell a load balancer of the local policy where pods are', async (t) => {
  await cluster.apply(
    service('local', `type: LoadBalancer\n  externalTrafficPolicy: Local\n  ${HTTP}`, 'selector: {name: two}'),
  )
  const port = await field('local', '{.spec.healthCheckNodePort}')
  await becomes(() => shell.run(`curl -s http://${NODES[1]}:${port}/healthz`), /"localEndpoints":1/)
  t.regex(await shell.run(`curl -s -o /dev/null -w '%{http_code}' http://${NODES[0]}:${port}/healthz`), /503/)
  await cluster.must('delete', 'service', '-n', 'net', 'local')
  await becomes(() => asked(`${NODES[1]}:${port}/healthz`), /^exit 7$/)
})

test.serial('a load balancer has an address on the machine, for TCP and UDP', async (t) => {
  const ip = await becomes(() => field('balanced', '{.status.loadBalancer.ingress[0].ip}'), /./)
  t.regex(ip, /^127\.0\.0\.\d+$/)
  t.is(await field('balanced', '{.status.loadBalancer.ingress[0].ipMode}'), 'Proxy')
  const port = await machinePort('balanced', 80)
  const answers = new Set<string>()
  while (answers.size < 2) answers.add(await fromMachine(ip, port))
  t.deepEqual([...answers].sort(), BOTH)
  t.is(await datagramFromMachine(ip, 5000, 'echo over UDP'), 'over UDP')
  const udpNodePort = Number(await field('balanced', '{.spec.ports[1].nodePort}'))
  t.is(await datagramFromMachine('127.0.0.1', udpNodePort, 'echo by node'), 'by node')

  await cluster.must(
    'patch',
    'service',
    '-n',
    'net',
    'balanced',
    '-p',
    '{"spec":{"loadBalancerSourceRanges":["10.0.0.0/8"]}}',
  )
  await becomes(() => fromMachine(ip, port), /hang up|ECONNRESET/)
  await cluster.must(
    'patch',
    'service',
    '-n',
    'net',
    'balanced',
    '-p',
    '{"spec":{"type":"ClusterIP","loadBalancerSourceRanges":null}}',
  )
  await becomes(() => fromMachine(ip, port), /ECONNREFUSED/)
  await becomes(() => field('balanced', '{.status.loadBalancer}'), /^(\{\})?$/)
})

test.serial('a wish for an address is met where it can be; a class of somebody else is left alone', async (t) => {
  await cluster.apply(
    service('wished', 'type: LoadBalancer\n  loadBalancerIP: 127.0.1.77\n  ports: [{port: 8123, targetPort: http}]') +
      service('far', 'type: LoadBalancer\n  loadBalancerIP: 198.51.100.7\n  ports: [{port: 8123, targetPort: http}]') +
      service('foreign', 'type: LoadBalancer\n  loadBalancerClass: example.com/x\n  ports: [{port: 8123}]') +
      service(
        'bare',
        'type: LoadBalancer\n  allocateLoadBalancerNodePorts: false\n  ports: [{port: 8124, targetPort: http}]',
      ),
  )
  await becomes(() => fromMachine('127.0.1.77', '8123'), ANYBODY)
  await becomes(
    () => cluster.must('get', 'events', '-n', 'net', '-o', 'jsonpath={.items[*].message}'),
    /198\.51\.100\.7 is no address of this machine's loopback/,
  )
  const ip = await becomes(() => field('bare', '{.status.loadBalancer.ingress[0].ip}'), /./)
  t.true(['one', 'two'].includes(await fromMachine(ip, '8124')))
  t.is(await field('foreign', '{.status.loadBalancer}'), '{}')
})

test.serial('SCTP is refused, not ignored', async (t) => {
  await t.throwsAsync(cluster.apply(service('sctp', 'ports: [{port: 9, protocol: SCTP}]')), {
    message: /spec.ports\[0\].protocol: Invalid value: "SCTP": the sandbox carries TCP and UDP only/,
  })
})

function policy(name: string, spec: string): string {
  return `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: net}
spec: ${spec}
---`
}

const UNANSWERED = /^exit 28$/
const TELLERS = 'podSelector: {matchLabels: {app: teller}}'

test.serial('policies shut who is not let in, and let probes through', async (t) => {
  await using stranger = new PodShell(cluster, 'guests/stranger')
  const guest = (): Promise<string> => asked('plain.net/hostname', stranger)
  t.regex(await guest(), ANYBODY)
  await cluster.apply(policy('closed', `{${TELLERS}}`))
  await becomes(guest, UNANSWERED)
  t.regex(await asked('plain/hostname'), UNANSWERED)
  await cluster.apply(teller('three', 'ambit-1', { labels: ', app: teller' }).replace('app: teller, ', ''))
  await cluster.must('wait', 'pod', '-n', 'net', 'three', '--for=condition=Ready', '--timeout=20s')

  const guests = 'namespaceSelector: {matchLabels: {team: guests}}, podSelector: {matchLabels: {app: stranger}}'
  await cluster.apply(policy('guests', `{${TELLERS}, ingress: [{from: [{${guests}}], ports: [{port: http}]}]}`))
  await becomes(guest, /^(one|two|three)$/)
  t.regex(await asked('plain/hostname'), UNANSWERED)
  const [, six = ''] = (await field('both', '{.spec.clusterIPs[*]}')).split(' ')
  t.regex(await asked(`[${six}]/hostname`, stranger), /^(one|two|three)$/)
  t.regex(await asked(`[${six}]/hostname`), UNANSWERED)

  await cluster.must('label', 'namespace', 'guests', 'team-')
  await becomes(guest, UNANSWERED)
  await cluster.must('label', 'namespace', 'guests', 'team=guests')
  await becomes(guest, /^(one|two|three)$/)
  await cluster.must('delete', 'networkpolicy', '-n', 'net', '--all')
  await becomes(() => asked('plain/hostname'), /^(one|two|three)$/)
  await cluster.must('delete', 'pod', '-n', 'net', 'three', '--now')
})

test.serial("what a pod may ask is its first packet's rule already; names are asked of kube-dns", async (t) => {
  const dns = 'namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}'
  const names = '[{port: 53, protocol: UDP}, {port: 53}]'
  await cluster.apply(
    policy(
      'quiet',
      `{podSelector: {matchLabels: {quiet: "yes"}}, policyTypes: [Egress], egress: [{to: [{${dns}}], ports: ${names}}]}`,
    ),
  )
  const one = await cluster.must('get', 'pod', '-n', 'net', 'one', '-o', 'jsonpath={.status.podIP}')
  const ask = `curl -s --max-time ${SILENCE} http://${one}:8080/hostname; echo "exit $?"; getent ahostsv4 plain; echo "names $?"`
  await cluster.apply(`
apiVersion: v1
kind: Pod
metadata: {name: quiet, namespace: net, labels: {quiet: "yes"}}
spec:
  restartPolicy: Never
  nodeSelector: {kubernetes.io/hostname: ambit-2}
  containers:
    - {name: c, image: 'docker.io/curlimages/curl:8.16.0', command: [/bin/sh, -c, '${ask}']}
`)
  await cluster.must('wait', 'pod', '-n', 'net', 'quiet', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=20s')
  const log = await cluster.must('logs', '-n', 'net', 'quiet')
  t.regex(log, /^exit 28\n/)
  t.regex(log, /names 0\n$/)
})
