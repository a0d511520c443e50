// What breaks, and what must not: controller gone, ztunnel killed, node agent hung and killed.
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import type { CommandResult } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { descendants } from '../support/processes.ts'
import { AMBIENT, client, namespace, policy, server } from './manifests.ts'

let cluster: Cluster

const URL = 'http://web.shop:8000/get'
const ZTUNNEL = 'packages/ztunnel/src/main.ts'
const AGENT = 'packages/cni/src/main.ts'

function curl(from: string, ...args: readonly string[]): Promise<CommandResult> {
  return cluster.kubectl('exec', '-n', 'people', from, '--', 'curl', '-sS', '--max-time', '5', ...args)
}

async function ready(ns: string): Promise<void> {
  await cluster.must('wait', 'pod', '-n', ns, '--all', '--for=condition=Ready', '--timeout=60s')
}

/** Container processes themselves: the launcher above each has the same words on its command line. */
function processes(program: string): number[] {
  return descendants(cluster.daemonPid, program)
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) process.kill(pid, name)
}

test.serial.before(async () => {
  cluster = await startCluster({ name: 'faults' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      client('people', 'alice', 'ambit-1') +
      client('people', 'mallory', 'ambit-1') +
      server('shop', 'web', 'ambit-2'),
  )
  await ready('people')
  await ready('shop')
  await cluster.apply(
    policy('shop', 'only-alice', 'web', 'ALLOW', [
      { from: [{ source: { principals: ['cluster.local/ns/people/sa/alice'] } }] },
    ]),
  )
  await eventually(
    () => curl('mallory', URL),
    ({ code }) => code === 56,
    10_000,
    'mallory is denied',
  )
  await eventually(
    () => curl('alice', URL),
    ({ code }) => code === 0,
    10_000,
    'alice is allowed',
  )
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

test.serial(
  'a killed ztunnel fails connections, lets none round it in plain text, and is back within two seconds',
  async (t) => {
    signal(processes(ZTUNNEL), 'SIGKILL')
    const killed = performance.now()
    await eventually(
      () => curl('alice', URL),
      ({ code }) => code === 0,
      10_000,
      'alice is served again',
    )
    const outage = performance.now() - killed
    t.log(`served again after ${outage.toFixed(0)} ms`)
    // Plain text would have been refused by the policy: it carries no identity. mallory stays out as well.
    t.is((await curl('mallory', URL)).code, 56)
    t.true(outage < 2000, `${outage.toFixed(0)} ms`)
    const log = await cluster.must('logs', '-n', 'istio-system', '-l', 'app=ztunnel', '--tail=400')
    const inbound = log.split('\n').filter((line) => line.includes('direction="inbound"') && line.includes('shop'))
    t.true(inbound.length > 0)
    t.true(
      inbound.every((line) => line.includes('src.identity=')),
      'every inbound connection carried an identity',
    )
  },
)

test.serial('without its controller the data plane goes on with what it has, and nothing opens up', async (t) => {
  await cluster.must('scale', '-n', 'istio-system', 'deployment/istiod', '--replicas=0')
  await cluster.must('wait', 'pod', '-n', 'istio-system', '-l', 'app=istiod', '--for=delete', '--timeout=60s')
  t.is((await curl('alice', URL)).code, 0)
  t.is((await curl('mallory', URL)).code, 56)
  await cluster.apply(
    client('people', 'late', 'ambit-1').replace('serviceAccountName: late', 'serviceAccountName: alice'),
  )
  await cluster.must('wait', 'pod', '-n', 'people', 'late', '--for=condition=Ready', '--timeout=30s')
  t.not((await curl('late', URL)).code, 0, 'unknown to the mesh yet, so not served')
  await cluster.must('scale', '-n', 'istio-system', 'deployment/istiod', '--replicas=1')
  await eventually(
    () => curl('late', URL),
    ({ code }) => code === 0,
    30_000,
    'the late pod is served once the controller is back',
  )
  t.is((await curl('mallory', URL)).code, 56)
})

test.serial('a hung node agent leaves enrolled pods alone and holds new ones back', async (t) => {
  const agents = processes(AGENT)
  t.true(agents.length > 0)
  signal(agents, 'SIGSTOP')
  try {
    t.is((await curl('alice', URL)).code, 0)
    await cluster.apply(
      client('people', 'waiting', 'ambit-1').replace('serviceAccountName: waiting', 'serviceAccountName: alice'),
    )
    await eventually(
      () =>
        cluster.must(
          'get',
          'events',
          '-n',
          'people',
          '--field-selector',
          'involvedObject.name=waiting,reason=FailedCreatePodSandBox',
          '-o',
          'name',
        ),
      (names) => names !== '',
      60_000,
      'the kubelet reports that the pod can not be captured',
    )
    const phase = await cluster.must('get', 'pod', '-n', 'people', 'waiting', '-o', 'jsonpath={.status.phase}')
    t.is(phase, 'Pending')
  } finally {
    signal(agents, 'SIGCONT')
  }
  await cluster.must('wait', 'pod', '-n', 'people', 'waiting', '--for=condition=Ready', '--timeout=60s')
  await eventually(
    () => curl('waiting', URL),
    ({ code }) => code === 0,
    10_000,
    'captured and served',
  )
})

test.serial('a killed node agent comes back, keeps what is enrolled and enrols what is new', async (t) => {
  signal(processes(AGENT), 'SIGKILL')
  t.is((await curl('alice', URL)).code, 0)
  await cluster.apply(
    client('people', 'later', 'ambit-1').replace('serviceAccountName: later', 'serviceAccountName: alice'),
  )
  await cluster.must('wait', 'pod', '-n', 'people', 'later', '--for=condition=Ready', '--timeout=60s')
  await eventually(
    () => curl('later', URL),
    ({ code }) => code === 0,
    10_000,
    'served through the mesh',
  )
  t.is((await curl('mallory', URL)).code, 56)
})
