// The sandbox alone, without the mesh: what a Kubernetes user expects of a cluster.
import { spawnSync } from 'node:child_process'
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningSandbox, sandboxDown, sandboxStatus, sandboxUp } from '@ambit/sandbox'
import test from 'ava'
import { type CommandResult, runCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { descendants } from '../support/processes.ts'

const NAME = 'plain'
let home: string
let sandbox: RunningSandbox

function kubectl(...args: readonly string[]): Promise<CommandResult> {
  return runCommand('kubectl', args, { env: { ...process.env, KUBECONFIG: sandbox.kubeconfig, HOME: home } })
}

async function must(...args: readonly string[]): Promise<string> {
  const result = await kubectl(...args)
  if (result.code !== 0) throw new Error(`${result.line}: exit ${result.code}\n${result.stdout}${result.stderr}`)
  return result.stdout
}

async function apply(manifest: string): Promise<void> {
  const env = { ...process.env, KUBECONFIG: sandbox.kubeconfig, HOME: home }
  const result = await runCommand('kubectl', ['apply', '-f', '-'], { env, input: manifest })
  if (result.code !== 0) throw new Error(result.stderr)
}

const pod = (name: string, node: string, spec: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec:
  nodeSelector: {kubernetes.io/hostname: ${node}}
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, ${spec}}
---`
const CLIENT = "image: 'curlimages/curl:8', command: [sleep, infinity]"

test.serial.before(async () => {
  // Nothing may trip over what a person's folder is called.
  home = await mkdtemp(join(tmpdir(), "ambit's #1 sandbox-"))
  sandbox = await sandboxUp({ name: NAME, home })
  await apply(
    pod('a', 'ambit-1', CLIENT) +
      pod(
        'b',
        'ambit-2',
        "image: 'ambit/peer', ports: [{containerPort: 8080}], readinessProbe: {httpGet: {path: /, port: 8080}}",
      ) +
      `
apiVersion: v1
kind: Service
metadata: {name: b}
spec: {selector: {app: b}, ipFamilyPolicy: PreferDualStack, ports: [{name: http, port: 80, targetPort: 8080}]}`,
  )
  await must('wait', 'pod', 'a', 'b', '--for=condition=Ready', '--timeout=20s')
})

test.serial.after.always(async () => {
  await sandboxDown(NAME, home)
  await rm(home, { recursive: true, force: true })
})

const inA = (script: string): Promise<string> => must('exec', 'a', '--', 'sh', '-c', script)

test.serial('two nodes are ready', async (t) => {
  const nodes = await must(
    'get',
    'nodes',
    '-o',
    'jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}',
  )
  t.is(nodes.trim(), 'ambit-1=True ambit-2=True')
})

test.serial('a pod on another node is reached by address, and sees who asks', async (t) => {
  const [ipA, ipB] = await Promise.all(
    ['a', 'b'].map((name) => must('get', 'pod', name, '-o', 'jsonpath={.status.podIP}')),
  )
  const answer = JSON.parse(await inA(`curl -sS -m 3 http://${ipB}:8080/`)) as { peer: string; pod: string }
  t.is(answer.peer, ipA ?? '')
  t.is(answer.pod, 'b')
})

test.serial('a service is reached by name, with the source address kept, in both families', async (t) => {
  const ips = (await must('get', 'pod', 'a', '-o', 'jsonpath={.status.podIPs[*].ip}')).split(' ')
  for (const [flag, ip] of [
    ['-4', ips[0]],
    ['-6', ips[1]],
  ] as const) {
    const answer = JSON.parse(await inA(`curl -sS -m 3 ${flag} http://b.default.svc.cluster.local/`)) as {
      peer: string
    }
    t.is(answer.peer, ip ?? 'none')
  }
})

test.serial('a service without ready endpoints refuses, an unknown name does not exist', async (t) => {
  await apply(
    'apiVersion: v1\nkind: Service\nmetadata: {name: empty}\nspec: {selector: {app: nobody}, ports: [{port: 80}]}',
  )
  const refused = (): Promise<CommandResult> => kubectl('exec', 'a', '--', 'curl', '-sS', '-m', '3', 'http://empty/')
  const answer = await eventually(refused, ({ code }) => code === 7, 3000, 'connection refused')
  t.regex(answer.stderr, /Failed to connect/)
  const unknown = await kubectl('exec', 'a', '--', 'curl', '-sS', '-m', '3', 'http://nobody/')
  t.regex(unknown.stderr, /Could not resolve host/)
})

test.serial('exec gives exit codes, standard input and a terminal', async (t) => {
  t.is((await kubectl('exec', 'a', '--', 'sh', '-c', 'exit 7')).code, 7)
  const env = { ...process.env, KUBECONFIG: sandbox.kubeconfig, HOME: home }
  const echoed = await runCommand('kubectl', ['exec', '-i', 'a', '--', 'cat'], { env, input: 'hello' })
  t.is(echoed.stdout, 'hello')
  const terminal = await runCommand('script', ['-qec', 'kubectl exec -it a -- sh -c "tty; exit 3"', '/dev/null'], {
    env,
  })
  t.regex(terminal.stdout, /\/dev\/pts\/\d+/)
  t.is(terminal.code, 3)
})

test.serial('logs follow until the container ends', async (t) => {
  await apply(
    pod(
      'talker',
      'ambit-1',
      "image: busybox, command: [sh, -c, 'for i in 1 2 3; do echo line $i; sleep 0.1; done']",
    ).replace('containers:', 'restartPolicy: Never\n  containers:'),
  )
  await eventually(
    () => kubectl('logs', 'talker'),
    ({ code }) => code === 0,
    5000,
    'container started',
  )
  t.is(await must('logs', '-f', 'talker'), 'line 1\nline 2\nline 3\n')
  t.is(await must('logs', 'talker', '--tail=1'), 'line 3\n')
  await must('wait', 'pod/talker', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=5s')
})

test.serial('a program in a pod may ask the API server with its projected token', async (t) => {
  const script = `D=/var/run/secrets/kubernetes.io/serviceaccount; curl -sS --cacert $D/ca.crt -H "Authorization: Bearer $(cat $D/token)" https://kubernetes.default.svc`
  const review = JSON.parse(
    await inA(
      `${script}/apis/authentication.k8s.io/v1/selfsubjectreviews -H 'content-type: application/json' -d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'`,
    ),
  ) as { status?: { userInfo?: { username?: string } } }
  t.is(review.status?.userInfo?.username, 'system:serviceaccount:default:default')
  t.regex(await inA(`${script}/api/v1/namespaces/default/secrets`), /"code":\s*403/)
})

test.serial('a changed config map reaches the pod that mounts it', async (t) => {
  await must('create', 'configmap', 'settings', '--from-literal=key=old')
  await apply(
    pod('reader', 'ambit-1', `${CLIENT}, volumeMounts: [{name: v, mountPath: /settings}]`).replace(
      'containers:',
      'volumes: [{name: v, configMap: {name: settings}}]\n  containers:',
    ),
  )
  await must('wait', 'pod/reader', '--for=condition=Ready', '--timeout=10s')
  t.is(await must('exec', 'reader', '--', 'cat', '/settings/key'), 'old')
  await must('patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"key":"new"}}')
  const read = (): Promise<string> => must('exec', 'reader', '--', 'cat', '/settings/key')
  t.is(await eventually(read, (text) => text === 'new', 3000, 'the new value'), 'new')
})

test.serial('a rollout replaces pods without losing the service', async (t) => {
  await must('create', 'deployment', 'web', '--image=mccutchen/go-httpbin', '--replicas=2')
  await must('rollout', 'status', 'deployment/web', '--timeout=20s')
  await must('rollout', 'restart', 'deployment/web')
  await must('rollout', 'status', 'deployment/web', '--timeout=20s')
  t.is(
    await must('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}/{.status.updatedReplicas}'),
    '2/2',
  )
  await must('rollout', 'undo', 'deployment/web')
  await must('rollout', 'status', 'deployment/web', '--timeout=20s')
  await must('delete', 'deployment', 'web')
})

test.serial('init containers come first, a sidecar ends with its pod', async (t) => {
  await apply(`
apiVersion: v1
kind: Pod
metadata: {name: stages}
spec:
  restartPolicy: Never
  initContainers:
  - {name: first, image: busybox, command: [sh, -c, 'echo one > /work/file'], volumeMounts: [{name: work, mountPath: /work}]}
  - {name: side, restartPolicy: Always, image: ambit/peer, startupProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
  containers:
  - name: main
    image: busybox
    command: [sh, -c, 'cat /work/file; curl -sS localhost:8080 | grep -c peer']
    volumeMounts: [{name: work, mountPath: /work, readOnly: true}]
  volumes: [{name: work, emptyDir: {}}]`)
  await must('wait', 'pod/stages', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=15s')
  t.is(await must('logs', 'stages', '-c', 'main'), 'one\n2\n')
  const sidecar = await must(
    'get',
    'pod',
    'stages',
    '-o',
    'jsonpath={.status.initContainerStatuses[1].restartCount} {.status.initContainerStatuses[1].state.terminated.reason}',
  )
  t.is(sidecar, '0 Completed')
})

test.serial('a container that fails its liveness probe is started again', async (t) => {
  await apply(
    pod(
      'alive',
      'ambit-1',
      "image: busybox, command: [sh, -c, 'sleep 1000'], livenessProbe: {exec: {command: ['false']}, periodSeconds: 1, failureThreshold: 1}",
    ),
  )
  const restarts = (): Promise<string> =>
    must('get', 'pod', 'alive', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')
  t.is(await eventually(restarts, (count) => count === '1', 10_000, 'a restart'), '1')
})

test.serial('an unknown image says what is known', async (t) => {
  await apply(pod('unknown', 'ambit-1', 'image: example.com/nobody/knows'))
  const waiting = (): Promise<string> =>
    must('get', 'pod', 'unknown', '-o', 'jsonpath={.status.containerStatuses[0].state.waiting}')
  t.regex(
    await eventually(waiting, (text) => text.includes('curlimages/curl'), 5000, 'the reason'),
    /ErrImagePull|ImagePullBackOff/,
  )
})

test.serial('ordinary containers have no power over the network, and a read-only root is one', async (t) => {
  const denied = await kubectl('exec', 'a', '--', 'ip', 'link', 'set', 'eth0', 'down')
  t.not(denied.code, 0)
  await apply(pod('locked', 'ambit-1', `${CLIENT}, securityContext: {readOnlyRootFilesystem: true}`))
  await must('wait', 'pod/locked', '--for=condition=Ready', '--timeout=10s')
  t.regex((await kubectl('exec', 'locked', '--', 'touch', '/x')).stderr, /Read-only file system/)
})

test.serial('a failing CNI plugin keeps the pod from starting, and says why', async (t) => {
  const plugin = '#!/bin/sh\necho "{\\"code\\": 11, \\"msg\\": \\"not today\\"}"; exit 1\n'
  const list = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'ambit',
    plugins: [{ type: 'ambit-ptp' }, { type: 'grumpy' }],
  })
  const host = `apiVersion: v1
kind: Pod
metadata: {name: installer}
spec:
  nodeSelector: {kubernetes.io/hostname: ambit-2}
  containers: [{name: main, ${CLIENT}, volumeMounts: [{name: root, mountPath: /host}]}]
  volumes: [{name: root, hostPath: {path: /}}]`
  await apply(host)
  await must('wait', 'pod/installer', '--for=condition=Ready', '--timeout=10s')
  const env = { ...process.env, KUBECONFIG: sandbox.kubeconfig, HOME: home }
  const write = async (path: string, input: string): Promise<void> => {
    const script = `cat > /host${path}; chmod 755 /host${path}`
    t.is((await runCommand('kubectl', ['exec', '-i', 'installer', '--', 'sh', '-c', script], { env, input })).code, 0)
  }
  await write('/opt/cni/bin/grumpy', plugin)
  await write('/etc/cni/net.d/05-grumpy.conflist', list)
  await apply(pod('refused', 'ambit-2', CLIENT))
  const events = (): Promise<string> =>
    must('get', 'events', '--field-selector=involvedObject.name=refused', '-o', 'jsonpath={.items[*].message}')
  t.regex(
    await eventually(events, (text) => text.includes('not today'), 5000, 'the event'),
    /plugin type="grumpy" failed \(add\): not today/,
  )
  await must('exec', 'installer', '--', 'rm', '/host/etc/cni/net.d/05-grumpy.conflist')
  await must('wait', 'pod/refused', '--for=condition=Ready', '--timeout=20s')
})

test.serial('nothing is left when the daemon is killed', async (t) => {
  const { pid } = sandbox
  const before = descendants(pid, '')
  t.true(before.length > 10)
  process.kill(pid, 'SIGKILL')
  const gone = (): Promise<number[]> => Promise.resolve(before.filter((one) => alive(one)))
  t.deepEqual(
    await eventually(
      async () => (await nextTurn(), gone()),
      (left) => left.length === 0,
      5000,
      'all processes gone',
    ),
    [],
  )
  // The kernel writes blanks in octal; the end of the name has none.
  t.false((await readFile('/proc/mounts', 'utf8')).includes(home.slice(home.lastIndexOf(' ') + 1)))
  t.is(sandboxStatus(NAME, home), undefined)
  t.is((await sandboxUp({ name: NAME, home, nodes: 1 })).nodes, 1)
})

const rootTest = process.getuid?.() === 0 ? test.serial : test.serial.skip
rootTest('nobody may run one too', async (t) => {
  const own = await mkdtemp(join(tmpdir(), 'ambit-nobody-'))
  await chown(own, 65534, 65534)
  await chmod(own, 0o700)
  const dev = join(import.meta.dirname, '../../packages/sandbox/src/dev.ts')
  const as = [
    '--reuid',
    '65534',
    '--regid',
    '65534',
    '--clear-groups',
    'env',
    '-u',
    'AMBIT_HOME',
    `HOME=${own}`,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    dev,
  ]
  try {
    const up = await runCommand('setpriv', [...as, 'up', 'nobodys', '1'])
    t.is(up.code, 0, up.stdout + up.stderr)
    const kubeconfig = join(own, '.ambit/sandbox/nobodys/kubeconfig')
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: home }
    const run = await runCommand(
      'kubectl',
      [
        'run',
        'x',
        '--image=busybox',
        '--restart=Never',
        '-i',
        '--rm',
        '--',
        'sh',
        '-c',
        'id -u; getent hosts kubernetes.default',
      ],
      { env },
    )
    t.regex(run.stdout, /10\.96\.0\.1/, run.stderr)
  } finally {
    await runCommand('setpriv', [...as, 'down', 'nobodys'])
    await rm(own, { recursive: true, force: true })
  }
})

function alive(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
  return stdout.trim() !== '' && !stdout.startsWith('Z')
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
