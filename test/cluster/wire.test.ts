// What somebody reads who sits on the link of the server's node.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { curlFrom, enrolled, podIps, ready, ztunnelLog } from '../support/mesh.ts'
import { Wiretap } from '../support/wiretap.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const ENDED = /Flags \[[SFRP.]*[FR]/

const DRAIN_LIMIT_MS = 45_000
const ZTUNNELS = ['get', 'pods', '-n', 'istio-system', '-l', 'app=ztunnel', '-o', 'name']

let cluster: Cluster
const taps: Wiretap[] = []
let aliceIps: string[]
let webIps: string[]

test.serial.before(async () => {
  cluster = await startCluster({ name: 'wire' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      server('shop', 'web', 'ambit-2', { dualStack: true }),
  )
  await ready(cluster, 'people', 'outside', 'shop')
  await enrolled(cluster, 'people', 'shop')
  aliceIps = await podIps(cluster, 'people/alice')
  webIps = await podIps(cluster, 'shop/web')
  // One after the other: both apply the namespace, and of two that create it at once one is refused.
  for (const [i, host] of webIps.entries()) {
    taps.push(await Wiretap.start(cluster, { name: `tap${i}`, node: 'ambit-2', host }))
  }
})

test.serial.after.always(async () => {
  for (const tap of taps) await tap[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

const families = [
  ['IPv4', '-4', 0],
  ['IPv6', '-6', 1],
] as const

for (const [family, flag, index] of families) {
  // Words of their own for each request: the tap may show the end of an earlier one late.
  const plainSecret = `secret-plain-${family}`
  const tunnelSecret = `secret-tunnel-${family}`
  const directSecret = `secret-direct-${family}`

  test.serial(`${family}: the wiretap reads along where one side is outside the mesh`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const answer = await curlFrom(
      cluster,
      'outside/stranger',
      flag,
      '-H',
      `x-secret: ${plainSecret}`,
      'http://web.shop:8000/headers',
    )
    t.is(answer.code, 0, answer.stderr)
    t.true(answer.stdout.includes(plainSecret))
    await tap?.until((text) => text.includes(plainSecret), 'the payload on the wire')
  })

  test.serial(`${family}: in the mesh it sees port 15008 only and no byte of the payload`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const answer = await curlFrom(
      cluster,
      'people/alice',
      flag,
      '-H',
      `x-secret: ${tunnelSecret}`,
      'http://web.shop:8000/headers',
    )
    t.is(answer.code, 0, answer.stderr)
    t.true(answer.stdout.includes(tunnelSecret))
    // A plain connection afterwards: when the tap shows its end, it has shown all that came before.
    await tap?.until((text) => text.includes('.15008'), 'the tunnel on the wire')
    const before = tap?.text ?? ''
    await curlFrom(cluster, 'outside/stranger', flag, 'http://web.shop:8000/get')
    await tap?.until((text) => text.includes('GET /get') && ENDED.test(text.slice(before.length)), 'the marker')
    const plain = tap?.text ?? ''
    const toServer = [...plain.matchAll(/^IP (\S+)\.\d+ > \S+\.(\d+): Flags \[S\]/gm)]
    const fromAlice = toServer.filter(([, source]) => source === aliceIps[index]).map(([, , port]) => port)
    t.deepEqual(
      [...new Set(fromAlice)].filter((port) => port !== '15008'),
      [],
    )
    t.false(plain.includes(tunnelSecret))
  })

  test.serial(`${family}: the server sees the address of the client's pod`, async (t) => {
    const answer = await curlFrom(cluster, 'people/alice', flag, 'http://web.shop:8000/ip')
    t.deepEqual(JSON.parse(answer.stdout), { origin: aliceIps[index] })
  })

  test.serial(`${family}: a pod addressed directly is reached through the tunnel too`, async (t) => {
    const tap = taps[index]
    tap?.forget()
    const host = index === 0 ? webIps[index] : `[${webIps[index]}]`
    const answer = await curlFrom(
      cluster,
      'people/alice',
      '-H',
      `x-secret: ${directSecret}`,
      `http://${host}:8080/headers`,
    )
    t.is(answer.code, 0, answer.stderr)
    await tap?.until((text) => text.includes('.15008'), 'the tunnel on the wire')
    t.false(tap?.text.includes(directSecret))
  })
}

test.serial('nodes whose bytes are carried differently tunnel to each other, both ways', async (t) => {
  const get = ['get', 'daemonset', 'ztunnel', '-n', 'istio-system', '-o', 'json']
  const { metadata, spec } = JSON.parse(await cluster.must(...get)) as DaemonSet
  const [proxy] = spec.template.spec.containers
  const setting = 'AMBIT_DATA_PATH'
  const usual = proxy?.env.find(({ name }) => name === setting)?.value ?? 'node'
  const other = usual === 'reactor' ? 'node' : 'reactor'
  const env = [...(proxy?.env ?? []).filter(({ name }) => name !== setting), { name: setting, value: other }]
  const on = (node: string) => ({ nodeSelector: { 'kubernetes.io/hostname': node } })
  const labels = { app: 'ztunnel', carried: 'differently' }
  const pod = { ...spec.template.spec, ...on('ambit-2'), containers: [{ ...proxy, env }] }
  const second = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'ztunnel-other', namespace: metadata.namespace },
    spec: {
      ...spec,
      selector: { matchLabels: labels },
      template: { metadata: { ...spec.template.metadata, labels }, spec: pod },
    },
  }
  await cluster.apply(JSON.stringify(second))
  const first = { spec: { template: { spec: on('ambit-1') } } }
  await cluster.must('patch', 'daemonset', 'ztunnel', '-n', 'istio-system', '-p', JSON.stringify(first))
  for (const name of ['ztunnel', 'ztunnel-other'])
    await cluster.must('rollout', 'status', `daemonset/${name}`, '-n', 'istio-system', '--timeout=60s')
  const list = async () => (await cluster.must(...ZTUNNELS)).trim().split('\n')
  const names = await eventually(list, ({ length }) => length === 2, DRAIN_LIMIT_MS, 'the old ones are gone')
  const carried: string[] = []
  for (const name of names) {
    const log = await cluster.must('logs', '-n', 'istio-system', name)
    carried.push(/carried by the reactor/.test(log) ? 'reactor' : 'node')
  }
  t.deepEqual(carried.toSorted(), ['node', 'reactor'])
  await cluster.apply(client('shop', 'bob', 'ambit-2') + server('people', 'db', 'ambit-1'))
  await ready(cluster, 'people', 'shop')
  await enrolled(cluster, 'people', 'shop')
  for (const [from, to] of [
    ['people/alice', 'web.shop'],
    ['shop/bob', 'db.people'],
  ] as const) {
    const answer = await curlFrom(cluster, from, `http://${to}:8000/get`)
    t.is(answer.code, 0, answer.stderr)
    // Whose identity the server's side saw, a certificate has proved.
    const [namespaceOf, name] = from.split('/')
    const identity = `src.identity="spiffe://cluster.local/ns/${namespaceOf}/sa/${name}"`
    const log = (await ztunnelLog(cluster)).split('\n')
    t.true(
      log.some((line) => line.includes(identity) && line.includes('direction="inbound"')),
      from,
    )
  }
})

interface DaemonSet {
  readonly metadata: { readonly namespace: string }
  readonly spec: {
    readonly template: {
      readonly metadata: object
      readonly spec: { readonly containers: readonly { readonly env: readonly { name: string; value?: string }[] }[] }
    }
  }
}
