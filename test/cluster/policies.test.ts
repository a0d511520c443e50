// Who passes which policy: every row on a live mesh, seen from three clients and at two ports.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { enrolled, podIps, ready } from '../support/mesh.ts'
import { PodShell } from '../support/shell.ts'
import { AMBIENT, client, namespace } from './manifests.ts'

const EFFECT_LIMIT_MS = 10_000
/** Service port → what curl needs to talk to it. The pod's own ports are 8080 and 9000. */
const PORTS = { 80: '', 90: '--http0.9' } as const
const CLIENTS = { alice: 'people/alice', mallory: 'people/mallory', stranger: 'outside/stranger' } as const
const EVERYBODY = ['alice:80', 'alice:90', 'mallory:80', 'mallory:90', 'stranger:80', 'stranger:90']
/** curl was reset: while it read, while it wrote, or before it knew that it had connected. */
const DENIED: ReadonlySet<string> = new Set(['56', '55', '52', '7'])

const shells = new Map<string, PodShell>()
let cluster: Cluster
let aliceIp = ''

test.serial.before(async () => {
  cluster = await startCluster({ name: 'policies' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('outside') +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      client('outside', 'stranger', 'ambit-1') +
      `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 90, targetPort: 9000}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ambit-2}
  containers:
    - {name: web, image: ambit/peer, readinessProbe: {tcpSocket: {port: 9000}, periodSeconds: 1}}
`,
  )
  await ready(cluster, 'people', 'outside', 'shop')
  await enrolled(cluster, 'people', 'shop')
  for (const [name, pod] of Object.entries(CLIENTS)) shells.set(name, new PodShell(cluster, pod))
  aliceIp = (await podIps(cluster, CLIENTS.alice))[0] ?? ''
})

test.serial.after.always(async () => {
  for (const shell of shells.values()) await shell[Symbol.asyncDispose]()
  await cluster?.[Symbol.asyncDispose]()
})

/** `client:port` of all who get an answer. Anything but an answer or a denial is a fault of its own. */
async function whoPasses(): Promise<string[]> {
  const asked = Object.keys(CLIENTS).map(async (name) => {
    const curls = Object.entries(PORTS).map(
      ([port, flags]) => `curl -s -o /dev/null --max-time 5 ${flags} http://web.shop:${port}/; echo "${port} $?"`,
    )
    const lines = (await shells.get(name)?.run(curls.join('; '))) ?? ''
    return [...lines.matchAll(/^(\d+) (\d+)$/gm)].flatMap(([, port, code = '']) => {
      if (code === '0') return [`${name}:${port}`]
      return DENIED.has(code) ? [] : [`${name}:${port} exit ${code}`]
    })
  })
  return (await Promise.all(asked)).flat()
}

async function settlesAt(expected: readonly string[], what: string): Promise<void> {
  const wanted = JSON.stringify(expected)
  await eventually(whoPasses, (passing) => JSON.stringify(passing) === wanted, EFFECT_LIMIT_MS, what)
}

interface Policy {
  readonly kind?: 'PeerAuthentication'
  readonly namespace?: string
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec: unknown
}

function manifest(policies: readonly Policy[]): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: policies.map((policy, i) => ({
      apiVersion: 'security.istio.io/v1',
      kind: policy.kind ?? 'AuthorizationPolicy',
      metadata: {
        name: `row-${i}`,
        namespace: policy.namespace ?? 'shop',
        ...(policy.annotations === undefined ? {} : { annotations: policy.annotations }),
      },
      spec: policy.spec,
    })),
  })
}

const passes = test.macro({
  async exec(t, policies: () => readonly Policy[], expected: readonly string[]) {
    const text = manifest(policies())
    await cluster.apply(text)
    try {
      await settlesAt(expected, 'the policy takes effect')
      t.deepEqual(await whoPasses(), [...expected], 'and stays that way')
    } finally {
      await cluster.kubectl('delete', 'authorizationpolicy,peerauthentication', '-A', '--all', '--wait=false')
    }
    await settlesAt(EVERYBODY, 'without the policy everybody passes again')
  },
  title: (title = '') => title,
})

const selector = { matchLabels: { app: 'web' } }
const from = (source: unknown): unknown => [{ from: [{ source }] }]
const allow = (source: unknown): Policy => ({ spec: { selector, action: 'ALLOW', rules: from(source) } })
const deny = (source: unknown): Policy => ({ spec: { selector, action: 'DENY', rules: from(source) } })
const only = (...names: readonly string[]): string[] =>
  EVERYBODY.filter((row) => names.some((name) => row.includes(name)))
const ALICE = 'cluster.local/ns/people/sa/alice'

test.serial('without a policy everybody passes', async (t) => {
  t.deepEqual(await whoPasses(), EVERYBODY)
})

test.serial('a principal', passes, () => [allow({ principals: [ALICE] })], only('alice'))
test.serial('a principal by its end', passes, () => [allow({ principals: ['*/sa/alice'] })], only('alice'))
test.serial(
  'principals by their beginning',
  passes,
  () => [allow({ principals: ['cluster.local/ns/people/*'] })],
  only('alice', 'mallory'),
)
test.serial(
  'any principal: whoever has an identity',
  passes,
  () => [allow({ principals: ['*'] })],
  only('alice', 'mallory'),
)
test.serial('a service account', passes, () => [allow({ serviceAccounts: ['people/alice'] })], only('alice'))
test.serial('a namespace', passes, () => [allow({ namespaces: ['people'] })], only('alice', 'mallory'))
test.serial(
  'an address, with or without an identity',
  passes,
  () => [allow({ ipBlocks: [`${aliceIp}/32`] })],
  only('alice'),
)
test.serial('all addresses but one', passes, () => [allow({ notIpBlocks: [aliceIp] })], only('mallory', 'stranger'))
test.serial('DENY by principal', passes, () => [deny({ principals: [ALICE] })], only('mallory', 'stranger'))
test.serial(
  'DENY whoever is not alice hits those without identity too',
  passes,
  () => [deny({ notPrincipals: [ALICE] })],
  only('alice'),
)
test.serial(
  'DENY wins over ALLOW',
  passes,
  () => [allow({ namespaces: ['people'] }), deny({ principals: [ALICE] })],
  only('mallory'),
)
test.serial(
  'two ALLOW policies add up',
  passes,
  () => [allow({ principals: [ALICE] }), allow({ principals: ['*/sa/mallory'] })],
  only('alice', 'mallory'),
)
test.serial(
  "a port is the pod's own, not the service's",
  passes,
  () => [{ spec: { selector, rules: [{ to: [{ operation: { ports: ['8080'] } }] }] } }],
  only(':80'),
)
test.serial(
  'a port that only the service has matches nothing',
  passes,
  () => [{ spec: { selector, rules: [{ to: [{ operation: { ports: ['80'] } }] }] } }],
  [],
)
test.serial('an ALLOW policy without rules lets nobody in', passes, () => [{ spec: {} }], [])
test.serial(
  'an HTTP rule can not be checked at layer 4, so ALLOW lets nobody in',
  passes,
  () => [{ spec: { selector, rules: [{ to: [{ operation: { methods: ['GET'] } }] }] } }],
  [],
)
test.serial(
  'a policy of the namespace holds for all its pods',
  passes,
  () => [{ spec: { rules: from({ principals: [ALICE] }) } }],
  only('alice'),
)
test.serial(
  'a policy in the root namespace holds everywhere',
  passes,
  () => [{ namespace: 'istio-system', spec: { action: 'DENY', rules: from({ principals: [ALICE] }) } }],
  only('mallory', 'stranger'),
)
test.serial(
  'a policy of another namespace or for other pods holds nothing here',
  passes,
  () => [
    { namespace: 'outside', spec: {} },
    { spec: { selector: { matchLabels: { app: 'other' } } } },
    deny({ principals: [ALICE] }),
  ],
  only('mallory', 'stranger'),
)
test.serial(
  'a dry run denies nobody',
  passes,
  () => [{ annotations: { 'istio.io/dry-run': 'true' }, spec: { selector } }, deny({ principals: [ALICE] })],
  only('mallory', 'stranger'),
)

const peers = (spec: unknown, namespaceName?: string): Policy => ({
  kind: 'PeerAuthentication',
  spec,
  ...(namespaceName === undefined ? {} : { namespace: namespaceName }),
})
const STRICT = { mode: 'STRICT' }
const PERMISSIVE = { mode: 'PERMISSIVE' }
test.serial('STRICT in the namespace', passes, () => [peers({ mtls: STRICT })], only('alice', 'mallory'))
test.serial('STRICT for the mesh', passes, () => [peers({ mtls: STRICT }, 'istio-system')], only('alice', 'mallory'))
test.serial(
  'PERMISSIVE of the namespace wins over STRICT of the mesh',
  passes,
  () => [peers({ mtls: STRICT }, 'istio-system'), peers({ mtls: PERMISSIVE }), deny({ principals: [ALICE] })],
  only('mallory', 'stranger'),
)
test.serial(
  'STRICT but for one port',
  passes,
  () => [peers({ selector, mtls: STRICT, portLevelMtls: { 9000: PERMISSIVE } })],
  only('alice', 'mallory', 'stranger:90'),
)
test.serial(
  'PERMISSIVE but for one port',
  passes,
  () => [peers({ selector, mtls: PERMISSIVE, portLevelMtls: { 9000: STRICT } })],
  only('alice', 'mallory', 'stranger:80'),
)
