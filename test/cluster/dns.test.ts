// Names as a pod of the mesh sees them: what the mesh knows it answers itself, all else goes on untouched.
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { curlFrom, enrolled, inPod, podIps, ready } from '../support/mesh.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const QUERY = join(import.meta.dirname, '../support/dns-query.ts')
const CLUSTER_DNS = '10.96.0.10'
const TYPE = { A: 1, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const
const NXDOMAIN = 3

interface Answer {
  readonly id: boolean
  readonly rcode: number
  readonly answers: number
  readonly authorities: number
  readonly bytes: string
}

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'dns' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      server('shop', 'web', 'ambit-2') +
      server('people', 'near', 'ambit-2', { dualStack: true }) +
      `
apiVersion: v1
kind: Service
metadata: {name: headless, namespace: shop}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: elsewhere, namespace: shop}
spec:
  hosts: [elsewhere.example]
  addresses: [240.240.77.7]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 192.0.2.1}]
`,
  )
  await ready(cluster, 'people', 'outside', 'shop')
  await enrolled(cluster, 'people', 'shop')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

async function ask(pod: string, name: string, type: keyof typeof TYPE, protocol = 'udp'): Promise<Answer> {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', QUERY]
  const { code, stderr, stdout } = await inPod(cluster, pod, ...node, protocol, CLUSTER_DNS, name, String(TYPE[type]))
  if (code !== 0) throw new Error(`${name} ${type}: exit ${code}: ${stderr}`)
  return JSON.parse(stdout) as Answer
}

async function addressesOf(name: string, database = 'ahosts'): Promise<string[]> {
  const { stdout } = await inPod(cluster, 'people/alice', 'getent', database, name)
  return [...new Set(stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split(/\s+/)[0] ?? ''])))].sort()
}

async function serviceIps(namespaceName: string, name: string): Promise<string[]> {
  const ips = await cluster.must('get', 'service', '-n', namespaceName, name, '-o', 'jsonpath={.spec.clusterIPs[*]}')
  return ips.split(' ').sort()
}

const resolves = test.macro({
  async exec(t, name: string, of: readonly [string, string]) {
    t.deepEqual(await addressesOf(name), await serviceIps(...of))
  },
  title: (_, name: string) => `${name} resolves in a pod of the mesh`,
})

test.serial(resolves, 'near', ['people', 'near'])
test.serial(resolves, 'web.shop', ['shop', 'web'])
test.serial(resolves, 'web.shop.svc', ['shop', 'web'])
test.serial(resolves, 'web.shop.svc.cluster.local', ['shop', 'web'])
test.serial(resolves, 'WEB.Shop.svc.cluster.local', ['shop', 'web'])

test.serial('a headless service resolves to its pods', async (t) => {
  const [ip] = await podIps(cluster, 'shop/web')
  t.deepEqual(await addressesOf('headless.shop', 'ahostsv4'), [ip])
  t.is((await curlFrom(cluster, 'people/alice', 'http://headless.shop:8080/get')).code, 0)
})

test.serial('a host that only a ServiceEntry knows resolves in the mesh and nowhere else', async (t) => {
  t.deepEqual(await addressesOf('elsewhere.example', 'ahostsv4'), ['240.240.77.7'])
  t.is((await ask('outside/stranger', 'elsewhere.example', 'A')).rcode, NXDOMAIN)
})

test.serial('AAAA of a service with IPv4 only is empty, not an error', async (t) => {
  const answer = await ask('people/alice', 'web.shop.svc.cluster.local', 'AAAA')
  t.like(answer, { id: true, rcode: 0, answers: 0 })
})

for (const protocol of ['udp', 'tcp'] as const) {
  test.serial(`a known service is answered over ${protocol}`, async (t) => {
    t.like(await ask('people/alice', 'web.shop.svc.cluster.local', 'A', protocol), { id: true, rcode: 0, answers: 1 })
  })

  test.serial(`what the mesh does not know is answered over ${protocol} as without it, byte for byte`, async (t) => {
    const asked = [
      ['nobody.shop.svc.cluster.local', 'A', NXDOMAIN],
      ['nobody.example', 'A', NXDOMAIN],
      ['nobody.example', 'AAAA', NXDOMAIN],
      ['web.shop.svc.cluster.local', 'MX', 0],
      ['web.shop.svc.cluster.local', 'TXT', 0],
      ['_http._tcp.web.shop.svc.cluster.local', 'SRV', 0],
      ['cluster.local', 'SOA', 0],
    ] as const
    for (const [name, type, rcode] of asked) {
      const meshed = await ask('people/alice', name, type, protocol)
      const plain = await ask('outside/stranger', name, type, protocol)
      t.is(meshed.rcode, rcode, `${name} ${type}`)
      t.deepEqual(meshed, plain, `${name} ${type}`)
    }
  })
}

test.serial('curl says that an unknown host does not exist', async (t) => {
  const answer = await curlFrom(cluster, 'people/alice', 'http://nobody.shop:8000/')
  t.is(answer.code, 6, answer.stderr)
})
