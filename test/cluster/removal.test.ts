// Going away: the mesh out of the cluster, the sandbox off the machine. Nothing stays.
import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, MESH_SETTINGS, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { inspector, NODES, redirectionOn } from '../support/inspect.ts'
import { curlFrom, enrolled, inPod, podIps, ready } from '../support/mesh.ts'
import { alive, descendants } from '../support/processes.ts'
import { AMBIENT, client, namespace, server } from './manifests.ts'

const URL = 'http://web.shop:8000'
const END_LIMIT_MS = 10_000
const redirection = (): Promise<string[]> => redirectionOn(cluster, NODES)

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'removal' })
  await cluster.apply(
    namespace('people', AMBIENT) +
      namespace('shop', AMBIENT) +
      namespace('tools') +
      client('people', 'alice', 'ambit-1') +
      server('shop', 'web', 'ambit-2') +
      NODES.map(inspector).join(''),
  )
  await ready(cluster, 'people', 'shop', 'tools')
  await enrolled(cluster, 'people', 'shop')
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

async function filesOfTheAgent(): Promise<string> {
  const outputs = await Promise.all(
    NODES.map((node) =>
      inPod(cluster, `tools/look-${node}`, 'sh', '-c', 'cd /host; cat etc/cni/net.d/*; ls opt/cni/bin etc/cni/net.d'),
    ),
  )
  return outputs.map(({ stdout }) => stdout).join('')
}

test.serial('with the mesh there is redirection in the namespaces of pods and nodes', async (t) => {
  t.is((await curlFrom(cluster, 'people/alice', `${URL}/get`)).code, 0)
  t.true((await redirection()).length > 10)
  t.regex(await filesOfTheAgent(), /istio-cni/)
})

test.serial('uninstall leaves pods plain and running, without a rule in any namespace', async (t) => {
  const removed = await cluster.ambit('uninstall', '--purge', '-y')
  t.is(removed.code, 0, removed.stdout + removed.stderr)
  t.deepEqual(await eventually(redirection, (lines) => lines.length === 0, END_LIMIT_MS, 'no rule is left'), [])
  t.notRegex(await filesOfTheAgent(), /istio/)
  const answer = await curlFrom(cluster, 'people/alice', `${URL}/ip`)
  t.is(answer.code, 0, answer.stderr)
  t.true(answer.stdout.includes((await podIps(cluster, 'people/alice'))[0] ?? 'none'))
  const restarts = await cluster.must(
    'get',
    'pods',
    '-n',
    'shop',
    '-o',
    'jsonpath={.items[*].status.containerStatuses[*].restartCount}',
  )
  t.is(restarts, '0')
})

test.serial('new pods start without the mesh, even in a namespace that still has the label', async (t) => {
  await cluster.apply(client('people', 'later', 'ambit-1'))
  await cluster.must('wait', 'pod', '-n', 'people', 'later', '--for=condition=Ready', '--timeout=30s')
  t.is((await curlFrom(cluster, 'people/later', `${URL}/get`)).code, 0)
})

test.serial('installed again, it captures the same pods again', async (t) => {
  const installed = await cluster.ambit('install', '-y', ...MESH_SETTINGS)
  t.is(installed.code, 0, installed.stdout + installed.stderr)
  await enrolled(cluster, 'people', 'shop')
  t.is((await curlFrom(cluster, 'people/alice', `${URL}/get`)).code, 0)
})

test.serial('a killed daemon takes everything along: processes, mounts, and after `down` the files', async (t) => {
  const home = cluster.env['AMBIT_HOME'] ?? ''
  const before = descendants(cluster.daemonPid, '')
  t.true(before.length > 20)
  process.kill(cluster.daemonPid, 'SIGKILL')
  await ended(before)
  t.false((await readFile('/proc/self/mounts', 'utf8')).includes(home))
  const down = await cluster.ambit('sandbox', 'down', '--name', cluster.name)
  t.is(down.code, 0, down.stderr)
  t.false(existsSync(join(home, 'sandbox', cluster.name)))
})

test.serial('`down` leaves no process, no mount and no file', async (t) => {
  await using second = await startCluster({ name: 'leaving', mesh: false })
  const home = second.env['AMBIT_HOME'] ?? ''
  const before = [second.daemonPid, ...descendants(second.daemonPid, '')]
  const down = await second.ambit('sandbox', 'down', '--name', second.name)
  t.is(down.code, 0, down.stderr)
  await ended(before)
  t.false((await readFile('/proc/self/mounts', 'utf8')).includes(home))
  t.deepEqual(readdirSync(join(home, 'sandbox')), [])
})

async function ended(pids: readonly number[]): Promise<void> {
  const left = (): Promise<number[]> =>
    new Promise((resolve) => setImmediate(() => resolve(pids.filter((pid) => alive(pid)))))
  await eventually(left, (living) => living.length === 0, END_LIMIT_MS, 'all processes have ended')
}
