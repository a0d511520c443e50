// What a person types: the real kubectl against the sandbox.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { type CommandResult, runCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { Follower } from '../support/follow.ts'

const WATCH_LIMIT_MS = 15_000
const NGINX = 'nginx:1.27'
const PAIR = `
apiVersion: v1
kind: Pod
metadata: {name: pair, namespace: demo, labels: {app: pair}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: a, image: busybox, command: [sh, -c, 'echo from a; sleep infinity']}
    - {name: b, image: busybox, command: [sh, -c, 'echo from b; sleep infinity']}
`

let cluster: Cluster

test.serial.before(async () => {
  cluster = await startCluster({ name: 'kubectl', nodes: 1, mesh: false })
})

test.serial.after.always(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

test.serial('create makes namespaces, accounts, config maps and deployments', async (t) => {
  t.is(await cluster.must('create', 'ns', 'demo'), 'namespace/demo created\n')
  t.is(await cluster.must('create', 'sa', 'bob', '-n', 'demo'), 'serviceaccount/bob created\n')
  await cluster.must('create', 'configmap', 'settings', '-n', 'demo', '--from-literal=colour=green')
  await cluster.must('create', 'deployment', 'web', '-n', 'demo', `--image=${NGINX}`, '--replicas=2', '--port=80')
  await cluster.must('expose', 'deployment', 'web', '-n', 'demo', '--port=80')
})

test.serial('rollout status and wait end when it is so', async (t) => {
  t.regex(
    await cluster.must('rollout', 'status', 'deploy/web', '-n', 'demo', '--timeout=30s'),
    /successfully rolled out/,
  )
  await cluster.must('wait', 'deploy/web', '-n', 'demo', '--for=condition=Available', '--timeout=10s')
  const never = await cluster.kubectl(
    'wait',
    'deploy/web',
    '-n',
    'demo',
    '--for=jsonpath={.spec.replicas}=9',
    '--timeout=1s',
  )
  t.is(never.code, 1)
  t.regex(never.stderr, /timed out waiting/)
})

test.serial('get shows a table, wide, as YAML, as JSON path and by label', async (t) => {
  t.regex(
    await cluster.must('get', 'deploy', '-n', 'demo'),
    /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 /,
  )
  t.regex(await cluster.must('get', 'pods', '-n', 'demo', '-o', 'wide'), /1\/1 +Running +0 .* 10\.244\.1\.\d+ +ambit-1/)
  t.regex(
    await cluster.must('get', 'deploy', 'web', '-n', 'demo', '-o', 'yaml'),
    /^apiVersion: apps\/v1\nkind: Deployment\n/,
  )
  t.is(await cluster.must('get', 'cm', 'settings', '-n', 'demo', '-o', 'jsonpath={.data.colour}'), 'green')
  t.is((await cluster.must('get', 'pods', '-n', 'demo', '-l', 'app=web', '-o', 'name')).trim().split('\n').length, 2)
  t.regex(
    await cluster.must('get', 'all', '-n', 'demo'),
    /service\/web[^]*deployment\.apps\/web[^]*replicaset\.apps\/web-/,
  )
})

test.serial('describe tells conditions and events', async (t) => {
  const deployment = await cluster.must('describe', 'deploy', 'web', '-n', 'demo')
  t.regex(deployment, /Replicas: +2 desired \| 2 updated \| 2 total \| 2 available/)
  t.regex(deployment, /ScalingReplicaSet/)
  const pods = await cluster.must('describe', 'pod', '-n', 'demo', '-l', 'app=web')
  t.regex(pods, /Normal +Started .*Started container nginx/)
  t.regex(
    await cluster.must('describe', 'service', 'web', '-n', 'demo'),
    /Endpoints: +10\.244\.1\.\d+:80,10\.244\.1\.\d+:80/,
  )
  t.regex(await cluster.must('describe', 'node', 'ambit-1'), /Ready +True/)
})

test.serial('label and annotate change, overwrite and remove', async (t) => {
  await cluster.must('label', 'ns', 'demo', 'colour=red')
  const refused = await cluster.kubectl('label', 'ns', 'demo', 'colour=blue')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /--overwrite is false/)
  await cluster.must('label', 'ns', 'demo', 'colour=blue', '--overwrite')
  t.regex(await cluster.must('get', 'ns', '-l', 'colour=blue'), /^NAME[^]*demo /)
  await cluster.must('label', 'ns', 'demo', 'colour-')
  t.is(await cluster.must('get', 'ns', '-l', 'colour', '-o', 'name'), '')
  await cluster.must('annotate', 'sa', 'bob', '-n', 'demo', 'note=hello')
  t.is(await cluster.must('get', 'sa', 'bob', '-n', 'demo', '-o', 'jsonpath={.metadata.annotations.note}'), 'hello')
})

test.serial('apply creates, changes, leaves alone, and names the field it does not know', async (t) => {
  // Older kubectl takes a document that begins with a brace for JSON.
  const manifest = (data: string, extra = ''): string =>
    `---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: applied, namespace: demo}, data: {${data}}${extra}}`
  t.is(await cluster.apply(manifest('a: "1", b: "2"')), 'configmap/applied created\n')
  t.is(await cluster.apply(manifest('a: "1", b: "2"')), 'configmap/applied unchanged\n')
  t.is(await cluster.apply(manifest('a: "3"')), 'configmap/applied configured\n')
  t.is(await cluster.must('get', 'cm', 'applied', '-n', 'demo', '-o', 'jsonpath={.data}'), '{"a":"3"}')
  const wrong = await t.throwsAsync(cluster.apply(manifest('', ', dta: {}')))
  t.regex(wrong?.message ?? '', /unknown field "dta"/)
  const list = `---\n{apiVersion: v1, kind: List, items: [${manifest('a: "4"').replace('---', '')}]}`
  t.is(await cluster.apply(list), 'configmap/applied configured\n')
})

test.serial('get -w shows what changes while it happens', async (t) => {
  const args = ['get', 'cm', '-n', 'demo', '-w', '--output-watch-events']
  await using watch = new Follower('kubectl', args, cluster.env)
  await watch.until((text) => text.includes('applied'), WATCH_LIMIT_MS, 'the list')
  await cluster.must('create', 'cm', 'late', '-n', 'demo')
  await watch.until((text) => /ADDED +late/.test(text), WATCH_LIMIT_MS, 'what was added')
  await cluster.must('delete', 'cm', 'late', '-n', 'demo')
  t.regex(await watch.until((text) => /DELETED +late/.test(text), WATCH_LIMIT_MS, 'what was deleted'), /DELETED +late/)
})

test.serial('exec gives output, exit code and standard input', async (t) => {
  const run = await cluster.kubectl(
    'exec',
    '-n',
    'demo',
    'deploy/web',
    '--',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 7',
  )
  t.is(run.code, 7)
  t.is(run.stdout, 'out\n')
  t.regex(run.stderr, /^err\n/)
  const big = 'x'.repeat(1_000_000)
  const words = ['exec', '-i', '-n', 'demo', 'deploy/web', '--', 'wc', '-c']
  t.is((await runCommand('kubectl', words, { env: cluster.env, input: big })).stdout.trim(), '1000000')
  t.is((await cluster.kubectl('exec', '-n', 'demo', 'deploy/web', '--', 'nonsense')).code, 127)
})

test.serial('exec -it is a terminal, and learns when its window changes', async (t) => {
  // `script` gives kubectl a terminal. Its window changes when the first line has come back from the pod.
  const inside = `tty; while read -r line; do stty size; [ "$line" = end ] && exit 3; done`
  const command = [
    'T=$(tty); F="$HOME/resize"; mkfifo "$F"',
    '(read -r _ < "$F"; stty rows 41 cols 111 < "$T") &',
    `stty rows 30 cols 100; kubectl exec -it -n demo deploy/web -- sh -c '${inside}'`,
  ].join('\n')
  await using terminal = new Follower('script', ['-qefc', command, '/dev/null'], cluster.env)
  await terminal.until((text) => /\/dev\/pts\/\d+/.test(text), WATCH_LIMIT_MS, 'a terminal')
  terminal.write('one\n')
  await terminal.until((text) => text.includes('30 100'), WATCH_LIMIT_MS, 'the size of the window')
  await writeFile(join(cluster.env['HOME'] ?? '', 'resize'), 'now\n')
  await eventually(
    () => askSize(terminal),
    (text) => text.includes('41 111'),
    WATCH_LIMIT_MS,
    'the new size',
  )
  terminal.write('end\n')
  t.is(await terminal.exited, 3)
})

/** One more line in, one more size out. */
async function askSize(terminal: Follower): Promise<string> {
  terminal.forget()
  terminal.write('again\n')
  return await terminal.until((text) => /\d+ \d+\r?\n/.test(text), WATCH_LIMIT_MS, 'a size')
}

test.serial('logs follow, tail and tell of the container before', async (t) => {
  await cluster.apply(`
apiVersion: v1
kind: Pod
metadata: {name: talker, namespace: demo}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: main, image: busybox, stdin: true, command: [sh, -c, 'echo begin; while read -r line; do echo "heard $line"; done']}
`)
  await cluster.must('wait', 'pod/talker', '-n', 'demo', '--for=condition=Ready', '--timeout=20s')
  await using log = new Follower('kubectl', ['logs', '-f', 'talker', '-n', 'demo'], cluster.env)
  await log.until((text) => text.includes('begin'), WATCH_LIMIT_MS, 'the first line')
  await using attached = new Follower('kubectl', ['attach', '-i', 'talker', '-n', 'demo'], cluster.env)
  attached.write('one\ntwo\n')
  await log.until((text) => text.includes('heard two'), WATCH_LIMIT_MS, 'lines written later')
  t.is(await cluster.must('logs', 'talker', '-n', 'demo', '--tail=1'), 'heard two\n')
})

test.serial('port-forward reaches a port of a pod, by its owner or its service too', async (t) => {
  for (const target of ['deploy/web', 'svc/web']) {
    await using forward = new Follower('kubectl', ['port-forward', '-n', 'demo', target, ':80'], cluster.env)
    const opened = (text: string): boolean => text.includes('Forwarding from 127.0.0.1')
    const text = await forward.until(opened, WATCH_LIMIT_MS, 'the port')
    const port = /127\.0\.0\.1:(\d+)/.exec(text)?.[1]
    t.is((await fetch(`http://127.0.0.1:${port}/`)).status, 200)
  }
})

test.serial(
  'logs of several containers: each line with its source, by time, by label, and no more than asked',
  async (t) => {
    await cluster.apply(PAIR)
    await cluster.must('wait', 'pod/pair', '-n', 'demo', '--for=condition=Ready', '--timeout=20s')
    const logs = (...args: readonly string[]): Promise<string> => cluster.must('logs', '-n', 'demo', ...args)
    // kubectl walks through the containers in the order of a Go map, which is a new one each time.
    const sorted = (text: string): readonly string[] => text.trim().split('\n').toSorted()
    const prefixed = await logs('pair', '--all-containers', '--prefix')
    t.deepEqual(sorted(prefixed), ['[pod/pair/a] from a', '[pod/pair/b] from b'])
    const both = await logs('-l', 'app=pair', '--all-containers', '--max-log-requests=5')
    t.deepEqual(sorted(both), ['from a', 'from b'])
    t.regex(await logs('pair', '-c', 'b', '--timestamps'), /^\d{4}-\d\d-\d\dT[\d:.]+Z from b\n$/)
    t.is(await logs('pair', '-c', 'a', '--since=1h', '--limit-bytes=4'), 'from')
    t.is(await logs('pair', '-c', 'a', '--since-time=2999-01-01T00:00:00Z'), '')
    t.is(await logs('pair'), 'from a\n')
  },
)

test.serial('events tells what happened to one object', async (t) => {
  const events = (...args: readonly string[]): Promise<string> => cluster.must('events', '-n', 'demo', ...args)
  t.regex(await events('--for', 'pod/pair'), /Normal +Started +Pod\/pair +Started container b\n/)
  t.notRegex(await events('--for', 'pod/pair'), /talker/)
  t.notRegex(await events('--types=Warning'), /Started container/)
})

test.serial('debug copies a pod and looks at a node', async (t) => {
  const copy = ['--copy-to=twin', '-c', 'a', '--share-processes', '--', 'sleep', '4321']
  await cluster.must('debug', 'pair', '-n', 'demo', '--image=busybox', ...copy)
  await cluster.must('wait', 'pod/twin', '-n', 'demo', '--for=condition=Ready', '--timeout=20s')
  t.regex(await cluster.must('exec', 'twin', '-n', 'demo', '-c', 'b', '--', 'ps', '-eo', 'args'), /sleep 4321/)
  await cluster.must('debug', 'node/ambit-1', '-n', 'demo', '--image=busybox', '--', 'ls', '/host/etc/cni')
  const pods = await cluster.must('get', 'pods', '-n', 'demo', '-o', 'name')
  const debugPod = /pod\/node-debugger-ambit-1-\w+/.exec(pods)?.[0] ?? 'none'
  await cluster.must('wait', debugPod, '-n', 'demo', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=20s')
  t.is(await cluster.must('logs', '-n', 'demo', debugPod), 'net.d\n')
})

test.serial('kustomize builds what apply, diff and delete take; prune removes what is no longer there', async (t) => {
  const folder = join(cluster.env['HOME'] ?? '', 'overlay')
  await mkdir(folder)
  await writeFile(join(folder, 'one.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n')
  const customization = (word: string): string =>
    `namePrefix: pre-\nresources: [one.yaml]\nconfigMapGenerator: [{name: gen, literals: [word=${word}]}]\n`
  await writeFile(join(folder, 'kustomization.yaml'), customization('old'))
  t.regex(await cluster.must('kustomize', folder), /name: pre-gen-\w+\n[^]*name: pre-one\n/)
  t.regex(await cluster.must('apply', '-n', 'demo', '-k', folder), /pre-gen-\w+ created\nconfigmap\/pre-one created\n/)
  t.is(await cluster.must('diff', '-n', 'demo', '-k', folder), '')
  await writeFile(join(folder, 'kustomization.yaml'), customization('new'))
  const differs = await cluster.kubectl('diff', '-n', 'demo', '-k', folder)
  t.is(differs.code, 1)
  t.regex(differs.stdout, /^\+ {2}word: new$/m)
  t.regex(await cluster.must('delete', '-n', 'demo', '-k', folder, '--ignore-not-found'), /"pre-one" deleted/)

  const set = (...names: readonly string[]): Promise<CommandResult> => {
    const maps = names.map((name) => `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\n`)
    const args = ['apply', '-n', 'demo', '--prune', '--applyset=set', '-f', '-']
    return runCommand('kubectl', args, { env: { ...cluster.env, KUBECTL_APPLYSET: 'true' }, input: maps.join('') })
  }
  const made = await set('first', 'second')
  t.regex(made.stdout + made.stderr, /first created\nconfigmap\/second created/)
  t.regex((await set('second')).stdout, /configmap\/first pruned/)
})

test.serial('proxy opens the API on a local port; pods and services are not reached through it', async (t) => {
  await using proxy = new Follower('kubectl', ['proxy', '--port=0'], cluster.env)
  const line = await proxy.until((text) => /127\.0\.0\.1:\d+/.test(text), WATCH_LIMIT_MS, 'the port')
  const url = `http://${/127\.0\.0\.1:\d+/.exec(line)?.[0]}`
  const list = (await (await fetch(`${url}/api/v1/namespaces/demo/pods`)).json()) as { kind: string }
  t.is(list.kind, 'PodList')
  const refused = await fetch(`${url}/api/v1/namespaces/demo/services/web/proxy/`)
  t.is(refused.status, 404)
  t.like(await refused.json(), { kind: 'Status', message: 'the server could not find the requested resource' })
})

test.serial('an unknown image waits with ErrImagePull and the list of known ones', async (t) => {
  await cluster.must('run', 'wrong', '-n', 'demo', '--image=example.com/no/such')
  const reason = '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}'
  await Promise.any([
    cluster.must('wait', 'pod/wrong', '-n', 'demo', `${reason}=ErrImagePull`, '--timeout=10s'),
    cluster.must('wait', 'pod/wrong', '-n', 'demo', `${reason}=ImagePullBackOff`, '--timeout=10s'),
  ])
  const events = await cluster.must('get', 'events', '-n', 'demo', '--field-selector=involvedObject.name=wrong')
  t.regex(events, /Failed to pull image "example\.com\/no\/such".*curlimages\/curl/)
  t.regex(await cluster.must('get', 'pod', 'wrong', '-n', 'demo'), /ErrImagePull|ImagePullBackOff/)
})

const refused = test.macro({
  async exec(t, args: readonly string[], message: RegExp) {
    const { code, stderr } = await cluster.kubectl(...args)
    t.not(code, 0)
    t.regex(stderr, message)
  },
  title: (_, args: readonly string[]) => `refused: kubectl ${args.join(' ')}`,
})

test.serial(refused, ['top', 'pods'], /Metrics API not available/)
test.serial(refused, ['get', 'pod', 'nobody'], /pods "nobody" not found/)
test.serial(refused, ['get', 'pods', '-l', 'a=('], /unable to parse requirement|found '\('|Invalid/i)
test.serial(refused, ['get', '--raw', '/metrics'], /the server could not find the requested resource/)
test.serial(refused, ['create', 'ns', 'Wrong_Name'], /Namespace "Wrong_Name" is invalid: metadata\.name/)

test.serial('delete ends pods, their owners and whole namespaces', async (t) => {
  t.regex(await cluster.must('delete', 'deploy', 'web', '-n', 'demo'), /deleted/)
  await cluster.must('wait', 'pod', '-n', 'demo', '-l', 'app=web', '--for=delete', '--timeout=40s')
  await cluster.must('delete', 'ns', 'demo', '--timeout=40s')
  t.regex((await cluster.kubectl('get', 'ns', 'demo')).stderr, /not found/)
})
