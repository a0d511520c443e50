// What the kubelet does with a pod, seen through kubectl. All pods are applied at once; each test looks at its own.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'
import { CLAIMS, NAMESPACE, PODS } from '../support/pod-zoo.ts'

const LIMIT_MS = 20_000

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'pods', nodes: 2, mesh: false })
  await cluster.must('create', 'namespace', NAMESPACE)
  await cluster.apply(CLAIMS)
  await cluster.apply(PODS)
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const kubectl = (...args: readonly string[]): Promise<string> => cluster.must('-n', NAMESPACE, ...args)
const ready = (pod: string): Promise<string> => kubectl('wait', `pod/${pod}`, '--for=condition=Ready', '--timeout=20s')
const inPod = async (pod: string, script: string, container = 'main'): Promise<string> =>
  await kubectl('exec', pod, '-c', container, '--', 'sh', '-c', script)
const fieldOf = (pod: string, path: string): Promise<string> => kubectl('get', 'pod', pod, '-o', `jsonpath={${path}}`)
const untilField = (pod: string, path: string, fits: (text: string) => boolean): Promise<string> =>
  eventually(() => fieldOf(pod, path), fits, LIMIT_MS, `${path} of ${pod}`)
const eventsOf = (pod: string): Promise<string> =>
  kubectl('get', 'events', '--field-selector', `involvedObject.name=${pod}`, '-o', 'jsonpath={.items[*].message}')

test.serial('a container that fails waits longer each time, and its last words are kept', async (t) => {
  const waiting = await untilField('crash', '.status.containerStatuses[0].state.waiting', (text) =>
    text.includes('back-off'),
  )
  t.regex(waiting, /back-off 10s restarting failed container=main pod=crash_zoo\([0-9a-f-]{36}\)/)
  t.regex(waiting, /CrashLoopBackOff/)
  const { exitCode, message, reason } = JSON.parse(
    await fieldOf('crash', '.status.containerStatuses[0].lastState.terminated'),
  ) as Record<string, unknown>
  t.deepEqual([exitCode, message, reason], [3, 'why\n', 'Error'])
  t.regex(await kubectl('get', 'pod', 'crash'), /CrashLoopBackOff +1/)
  t.is(await kubectl('logs', 'crash', '--previous'), 'first run\n')
})

test.serial('the end of the log stands in for a message where that is asked for', async (t) => {
  const path = '.status.containerStatuses[0].state.terminated'
  const ended = JSON.parse(await untilField('tail', path, (text) => text !== '')) as Record<string, unknown>
  t.deepEqual([ended['exitCode'], ended['message']], [9, 'first\nlast words'])
  t.is(await fieldOf('tail', '.status.phase'), 'Failed')
})

test.serial('a pod that is active for too long is ended, and killed programs end with 137', async (t) => {
  await untilField('deadline', '.status.reason', (text) => text === 'DeadlineExceeded')
  t.is(await fieldOf('deadline', '.status.phase'), 'Failed')
  t.is(await fieldOf('deadline', '.status.containerStatuses[0].state.terminated.exitCode'), '137')
  t.regex(await eventsOf('deadline'), /active on the node longer than the specified deadline/)
})

test.serial('hooks run before and at the end, and a failed one restarts its container', async (t) => {
  await ready('hooks')
  t.is(await inPod('hooks', 'cat /tmp/begun'), 'begun\n')
  await using log = new Follower('kubectl', ['-n', NAMESPACE, 'logs', '-f', 'hooks', '-c', 'main'], cluster.env)
  await log.until((text) => text.includes('begin'), LIMIT_MS, 'the log')
  await kubectl('delete', 'pod', 'hooks', '--timeout=20s')
  t.is(await log.until((text) => text.includes('term'), LIMIT_MS, 'the last words'), 'begin\nstopping\nterm\n')
  await untilField('bad-hook', '.status.containerStatuses[0].restartCount', (text) => Number(text) > 0)
  t.regex(await eventsOf('bad-hook'), /Exec lifecycle hook \(false\) failed: exit code 1/)
})

test.serial('a program that stays is killed when its grace is over, at once if that is said later', async (t) => {
  await ready('stubborn')
  const { ms } = await cluster.kubectl('-n', NAMESPACE, 'delete', 'pod', 'stubborn', '--timeout=20s')
  t.true(ms >= 2000)
  await ready('patient')
  await kubectl('delete', 'pod', 'patient', '--wait=false')
  await kubectl('delete', 'pod', 'patient', '--now', '--timeout=20s')
  t.not((await cluster.kubectl('-n', NAMESPACE, 'get', 'pod', 'patient')).code, 0)
})

test.serial('containers of a pod share their processes where that is asked for', async (t) => {
  await ready('shared')
  const processes = await inPod('shared', 'ps -ef', 'one')
  for (const sleep of ['sleep 12345', 'sleep 54321']) t.true(processes.includes(sleep), processes)
  t.notRegex(await inPod('probes', 'ps -ef', 'refused'), /peer\.ts/)
})

test.serial('a signal to its whole process group reaches no one outside of a container', async (t) => {
  await untilField('group', '.status.containerStatuses[0].state.terminated', (text) => text !== '')
  t.regex(await kubectl('get', 'nodes'), /ambit-1 +Ready/)
})

test.serial('probes by gRPC, TCP and exec decide, and say what was wrong', async (t) => {
  const readyOf = (name: string): string => `.status.containerStatuses[?(@.name=="${name}")].ready`
  for (const name of ['grpc', 'tcp']) t.is(await untilField('probes', readyOf(name), (text) => text === 'true'), 'true')
  t.is(await fieldOf('probes', readyOf('refused')), 'false')
  const events = await eventually(
    () => eventsOf('probes'),
    (text) => text.includes('NOT_SERVING'),
    LIMIT_MS,
    'events',
  )
  t.regex(
    events,
    /Readiness probe failed: Get "http:\/\/10\.244\.\d+\.\d+:81\/": dial tcp .*:81: connect: connection refused/,
  )
  t.regex(events, /service unhealthy \(responded with "NOT_SERVING"\)/)
})

test.serial('volumes: items, modes, parts, folders below the machine’s programs, sizes', async (t) => {
  await ready('volumes')
  t.is(await inPod('volumes', 'cat /usr/share/nginx/html/deep/a /etc/one /data/sub/f'), 'oneonex\n')
  t.is(await inPod('volumes', 'stat -Lc %a /usr/share/nginx/html/deep/a /usr/share/nginx/html/deep/x/y'), '440\n777\n')
  t.regex(await inPod('volumes', 'ls /usr/share'), /zoneinfo|doc/)
  t.regex(await inPod('volumes', 'head -c 3000000 /dev/zero > /small/big || echo full'), /full/)
  t.is(await inPod('volumes', 'cat /small/inside/b'), 'two')
  t.is(await inPod('volumes', 'cat /down/labels'), 'colour="red"')
  await kubectl('label', 'pod', 'volumes', 'colour=blue', '--overwrite')
  const shown = (): Promise<string> => inPod('volumes', 'cat /down/labels')
  t.is(await eventually(shown, (text) => text.includes('blue'), LIMIT_MS, 'the new label'), 'colour="blue"')
  const failed = await untilField('escape', '.status.containerStatuses[0].state.waiting', (text) =>
    text.includes('leads'),
  )
  t.regex(failed, /subPath out\/etc leads out of volume.*CreateContainerConfigError/)
})

test.serial('a volume of a type that is not served keeps the pod waiting, and says so', async (t) => {
  const told = (text: string): boolean => text.includes('the sandbox serves no volumes of type csi')
  t.regex(
    await eventually(() => eventsOf('exotic'), told, LIMIT_MS, 'the event'),
    /MountVolume\.SetUp failed: volume "odd"/,
  )
  t.is(await fieldOf('exotic', '.status.phase'), 'Pending')
})

test.serial('names, hosts and search list are those the pod asks for', async (t) => {
  t.is(await inPod('volumes', 'hostname; hostname -f'), 'named\nnamed.sub.zoo.svc.cluster.local\n')
  t.regex(await inPod('volumes', 'cat /etc/hosts'), /10\.9\.8\.7\talias\.example/)
  t.regex(await inPod('volumes', 'cat /etc/resolv.conf'), /cluster\.local more\.example\n[^]*ndots:2/)
  t.is(await inPod('volumes', 'echo x > /dev/stdout'), 'x\n')
})

test.serial('claims get volumes that every node shows, and leave nothing behind', async (t) => {
  await untilField('writer', '.status.phase', (text) => text === 'Succeeded')
  await ready('reader')
  t.is(await inPod('reader', 'cat /data/f'), 'kept\n')
  t.regex(await kubectl('get', 'pvc'), /data +Bound[^]*static +Bound +manual/)
  t.regex(await eventsOf('fancy'), /storageclass\.storage\.k8s\.io "fancy" not found/)
  await kubectl('delete', 'pod', 'writer', 'reader', '--now')
  await kubectl('delete', 'pvc', '--all')
  const phases = (): Promise<string> => kubectl('get', 'pv', '-o', 'jsonpath={.items[*].status.phase}')
  t.is(await eventually(phases, (text) => text === 'Released', LIMIT_MS, 'only the one made by hand'), 'Released')
})

test.serial('debug adds a container that sees the processes of its target', async (t) => {
  await kubectl('debug', 'shared', '--image=busybox', '--target=one', '-c', 'dbg', '--', 'sh', '-c', 'ps -ef; id -u')
  const log = (): Promise<string> => kubectl('logs', 'shared', '-c', 'dbg').catch(() => '')
  t.regex(await eventually(log, (text) => text.endsWith('\n0\n'), LIMIT_MS, 'its output'), /sleep 12345/)
})

test.serial('a command whose caller goes away ends', async (t) => {
  const running = (): Promise<string> => inPod('shared', 'ps -eo args', 'one')
  {
    const words = ['-n', NAMESPACE, 'exec', 'shared', '-c', 'one', '--', 'sh', '-c', 'echo on; exec sleep 4242']
    await using lost = new Follower('kubectl', words, cluster.env)
    await lost.until((text) => text.includes('on'), LIMIT_MS, 'the command')
    t.regex(await running(), /sleep 4242/)
  }
  await eventually(running, (text) => !text.includes('sleep 4242'), LIMIT_MS, 'the command gone')
})

test.serial('run -i --rm tells the exit code; cp goes both ways', async (t) => {
  const run = await cluster.kubectl(
    '-n',
    NAMESPACE,
    'run',
    'once',
    '-i',
    '--rm',
    '--restart=Never',
    '--image=busybox',
    '--',
    'sh',
    '-c',
    'echo said; exit 3',
  )
  t.is(run.code, 3)
  t.is(run.stdout.split('said').length, 2, run.stdout)
  const folder = await mkdtemp(join(tmpdir(), 'ambit-cp-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'there/deep'), { recursive: true })
  await writeFile(join(folder, 'there/deep/file'), 'copied')
  await kubectl('cp', join(folder, 'there'), 'shared:/tmp/here', '-c', 'one')
  await kubectl('cp', 'shared:/tmp/here', join(folder, 'back'), '-c', 'one')
  t.is(await readFile(join(folder, 'back/deep/file'), 'utf8'), 'copied')
})

test.serial('a program of the machine becomes an image, and who waits for it starts', async (t) => {
  await kubectl('run', 'own', '--image=team/own:1')
  await untilField('own', '.status.containerStatuses[0].state.waiting.message', (text) =>
    text.includes('ambit sandbox load team/own=COMMAND'),
  )
  const folder = await mkdtemp(join(tmpdir(), 'ambit-own-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'greet'), '#!/bin/sh\necho "hello from $(basename "$0")"; exec sleep infinity\n')
  await chmod(join(folder, 'greet'), 0o755)
  const loaded = await cluster.ambit('sandbox', 'load', '--name', cluster.name, `team/own=${folder}:greet`)
  t.is(loaded.code, 0, loaded.stderr)
  await ready('own')
  t.is(await kubectl('logs', 'own'), 'hello from greet\n')
  t.regex((await cluster.ambit('sandbox', 'images', '--name', cluster.name)).stdout, /team\/own +\/app\/greet/)
})
