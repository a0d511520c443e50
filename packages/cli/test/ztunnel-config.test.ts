// The whole command on a saved dump: every section in every format, filtered and in order.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import type { Context } from '../src/context.types.ts'
import { runCommandLine } from '../src/run-command-line.ts'
import { FILES } from './support/test-mesh.ts'

const connection = (port: number): object => ({
  src: `10.0.0.1:${port}`,
  originalDst: '10.96.0.1:80',
  actualDst: '10.0.0.2:15008',
  protocol: 'HBONE',
})
const DUMP = {
  workloads: [
    { uid: 'b', name: 'web', namespace: 'shop', workloadIps: ['10.0.0.2'], node: 'n1', protocol: 'HBONE', extra: 1 },
    { uid: 'a', name: 'client', namespace: 'other', workloadIps: ['10.0.0.1'], node: 'n2', protocol: 'TCP' },
  ],
  services: [
    {
      name: 'web',
      namespace: 'shop',
      hostname: 'web.shop.svc.cluster.local',
      vips: ['/10.96.0.1'],
      cidrVips: [],
      canonical: true,
      endpoints: { b: { workloadUid: 'b' } },
      waypoint: { destination: 'shop/waypoint.shop.svc.cluster.local' },
    },
    { name: 'waypoint', namespace: 'shop', hostname: 'waypoint.shop.svc.cluster.local', vips: ['/10.96.0.9'] },
    { name: 'api', namespace: 'other', vips: ['/10.96.0.3'], waypoint: { destination: '/10.96.0.9' } },
  ],
  policies: [
    { name: 'p2', namespace: 'shop', action: 'Deny', scope: 'Namespace' },
    { name: 'p1', namespace: 'shop', action: 'Allow', scope: 'WorkloadSelector' },
  ],
  certificates: [
    { identity: 'spiffe://cluster.local/ns/shop/sa/web', state: 'Initializing' },
    { identity: 'spiffe://cluster.local/ns/other/sa/client', state: 'Initializing' },
  ],
  workloadState: {
    b: { info: { name: 'web', namespace: 'shop' }, connections: { inbound: [], outbound: [] } },
    a: {
      info: { name: 'client', namespace: 'other' },
      connections: { inbound: [connection(9)], outbound: [connection(3), connection(1)] },
    },
  },
}

const folder = mkdtempSync(join(tmpdir(), 'ambit-dump-'))
const FILE = join(folder, 'dump.json')
test.before(() => writeFileSync(FILE, JSON.stringify(DUMP)))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

async function zc(line: string): Promise<string> {
  const out: string[] = []
  const absent = (): Promise<never> => Promise.reject(new Error('a saved dump needs no cluster'))
  const context: Context = {
    ...FILES,
    out: (text) => out.push(text),
    err: (text) => out.push(`stderr: ${text}`),
    colour: false,
    version: '9.9.9',
    deployFolder: '',
    now: () => 0,
    sleep: () => Promise.resolve(),
    writeFile: () => Promise.reject(new Error('nothing is written in these tests')),
    interrupted: () => Promise.resolve(),
    confirm: () => Promise.resolve(false),
    cluster: absent,
    clusterAt: absent,
    sandbox: absent,
  }
  const code = await runCommandLine(['zc', ...line.split(' '), '-f', FILE], context)
  if (code !== 0) throw new Error(`exit ${code}: ${out.join('\n')}`)
  return out.join('\n')
}

const prints = test.macro({
  async exec(t, line: string, expected: string) {
    t.is(await zc(line), expected)
  },
  title: (_, line: string) => `zc ${line}`,
})

test(
  prints,
  'services',
  `NAMESPACE SERVICE NAME SERVICE VIP WAYPOINT ENDPOINTS
other     api          10.96.0.3   waypoint 0/0
shop      waypoint     10.96.0.9   None     0/0
shop      web          10.96.0.1   waypoint 1/1`,
)
test(
  prints,
  'w --workload-node n1',
  `NAMESPACE POD NAME ADDRESS  NODE WAYPOINT PROTOCOL
shop      web      10.0.0.2 n1   None     HBONE`,
)
test(
  prints,
  'policies',
  `NAMESPACE POLICY NAME ACTION SCOPE
shop      p1          Allow  WorkloadSelector
shop      p2          Deny   Namespace`,
)
test(
  prints,
  'cons --raw --direction outbound',
  `WORKLOAD     DIRECTION LOCAL      REMOTE         REMOTE TARGET PROTOCOL
client.other Outbound  10.0.0.1:1 10.0.0.2:15008 10.96.0.1:80  HBONE
client.other Outbound  10.0.0.1:3 10.0.0.2:15008 10.96.0.1:80  HBONE`,
)

test('all --with-headers puts a title above each table, an empty line between them', async (t) => {
  const lines = (await zc('all --with-headers')).split('\n')
  t.deepEqual(
    lines.filter((line) => line.startsWith('#')),
    ['# Workloads', '# Services', '# Policies', '# Certificates', '# Connections'],
  )
  t.is(lines.filter((line) => line === '').length, 4)
  t.false((await zc('all')).includes('#'))
})

const SECTIONS = {
  workloads: [DUMP.workloads[1], DUMP.workloads[0]],
  services: [DUMP.services[2], DUMP.services[1], DUMP.services[0]],
  policies: [DUMP.policies[1], DUMP.policies[0]],
  certificates: [DUMP.certificates[1], DUMP.certificates[0]],
  connections: {
    ...DUMP.workloadState,
    a: {
      ...DUMP.workloadState.a,
      connections: { inbound: [connection(9)], outbound: [connection(1), connection(3)] },
    },
  },
}
for (const [section, expected] of Object.entries(SECTIONS)) {
  test(`zc ${section} -o json and yaml show the entries as dumped, in order`, async (t) => {
    t.deepEqual(JSON.parse(await zc(`${section} -o json`)), expected)
    t.deepEqual(parse(await zc(`${section} -o yaml`)), expected)
    t.is(await zc(`${section} -o short`), await zc(section))
  })
}

test('all -o json has a member for each section, filters hold there too', async (t) => {
  const all = JSON.parse(await zc('all -o json -n shop --direction inbound')) as Record<string, readonly object[]>
  t.deepEqual(Object.keys(all), ['workloads', 'services', 'policies', 'certificates', 'workloadState'])
  t.deepEqual(all['workloads'], [DUMP.workloads[0]])
  t.deepEqual(Object.keys(all['workloadState'] ?? {}), ['b'])
  const inbound = JSON.parse(await zc('connections -o json --direction inbound')) as Record<string, object>
  t.deepEqual(inbound['a'], { ...DUMP.workloadState.a, connections: { inbound: [connection(9)], outbound: [] } })
})
