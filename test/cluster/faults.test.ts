// What breaks, and what must not: controller gone, ztunnel killed, node agent hung and killed.
import { existsSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type CommandResult, wasReset } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { descendants, waitedForProcessorMs } from '../support/processes.ts'
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

/** Until nothing of the processes is left: one that is being killed still holds its sockets, and what they get is lost. */
async function gone(pids: readonly number[]): Promise<void> {
  const left = async (): Promise<number[]> => {
    await setImmediate()
    return pids.filter((pid) => existsSync(`/proc/${pid}`))
  }
  await eventually(left, ({ length }) => length === 0, 10_000, 'killed processes end')
}

/** Asks in the pod itself, as each command of kubectl takes its time; answers when it was served. */
async function servedAt(from: string): Promise<number> {
  const ask = `until curl -s -o /dev/null --max-time 5 ${URL}; do sleep 0.1; done; date +%s%3N`
  return Number(await cluster.must('exec', '-n', 'people', from, '--', 'timeout', '30', 'sh', '-c', ask))
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
    ({ code }) => wasReset(code),
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
    const killed = processes(ZTUNNEL)
    t.true(killed.length >= 2)
    const from = Date.now()
    signal(killed, 'SIGKILL')
    await gone(killed)
    const outage = (await servedAt('alice')) - from
    const back = processes(ZTUNNEL)
    t.true(back.length >= 2)
    // On a machine with other work a start takes as long as it is kept from running: that is no outage of ours.
    const waited = Math.max(...back.map(waitedForProcessorMs))
    t.log(`served again after ${outage} ms, of which ${waited.toFixed(0)} ms without a processor`)
    t.true(outage - waited < 2000, `${outage} ms, ${waited.toFixed(0)} ms of them without a processor`)
    // Plain text would have been refused by the policy: it carries no identity. mallory stays out as well.
    t.true(wasReset((await curl('mallory', URL)).code))
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
  try {
    t.is((await curl('alice', URL)).code, 0)
    t.true(wasReset((await curl('mallory', URL)).code))
    await cluster.apply(
      client('people', 'late', 'ambit-1').replace('serviceAccountName: late', 'serviceAccountName: alice'),
    )
    await cluster.must('wait', 'pod', '-n', 'people', 'late', '--for=condition=Ready', '--timeout=30s')
    t.not((await curl('late', URL)).code, 0, 'unknown to the mesh yet, so not served')
  } finally {
    await cluster.must('scale', '-n', 'istio-system', 'deployment/istiod', '--replicas=1')
  }
  await eventually(
    () => curl('late', URL),
    ({ code }) => code === 0,
    // ztunnel asks for the controller every 15 s at the least (Istio), which first has to start.
    60_000,
    'the late pod is served once the controller is back',
  )
  t.true(wasReset((await curl('mallory', URL)).code))
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
  t.true(wasReset((await curl('mallory', URL)).code))
})
