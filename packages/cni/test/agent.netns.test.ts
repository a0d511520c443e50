import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Netns, readNft, runIp, runNft, warmThreadPool } from '@ambit/linux'
import test, { type ExecutionContext } from 'ava'
import { MiniApi } from './mini-api.ts'
import { networkState, TestNode } from './pod-netns.ts'
import { ScriptedZtunnel } from './scripted-ztunnel.ts'

const REDIRECTION = 'ambient.istio.io/redirection'
const MODE = 'istio.io/dataplane-mode'
const MAIN = new URL('../src/main.ts', import.meta.url).pathname
const PRIMARY = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }] }

test.before(async () => {
  await warmThreadPool()
  using home = Netns.home()
  await runIp(home, ['link set lo up'])
})

/** A node with its folders, its API server and an agent that can be started and killed. */
class Fixture implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-'))
  readonly node: TestNode
  readonly api: MiniApi
  readonly paths: Record<'netns' | 'proc' | 'run' | 'bin' | 'config' | 'socket' | 'kubeconfig' | 'conflist', string>
  #agent: ChildProcess | undefined
  /** What stands for the namespace of process 1. */
  hostNetns: Netns
  log = ''

  private constructor(node: TestNode, api: MiniApi) {
    this.node = node
    this.hostNetns = node.host
    this.api = api
    const at = (name: string) => join(this.folder, name)
    this.paths = {
      netns: at('netns'),
      proc: at('proc'),
      run: at('run'),
      bin: at('bin'),
      config: at('net.d'),
      socket: at('z.sock'),
      kubeconfig: at('kubeconfig'),
      conflist: at('net.d/10-net.conflist'),
    }
    for (const folder of [this.paths.netns, this.paths.proc, this.paths.run, this.paths.bin, this.paths.config])
      mkdirSync(folder)
    writeFileSync(this.paths.conflist, JSON.stringify(PRIMARY))
    writeFileSync(
      this.paths.kubeconfig,
      JSON.stringify({
        clusters: [{ name: 'c', cluster: { server: api.url, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'u', user: { token: 'token' } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
    )
  }

  static async create(): Promise<Fixture> {
    const fixture = new Fixture(await TestNode.create(), await MiniApi.start())
    fixture.api.put('daemonsets', { metadata: { name: 'istio-cni-node', namespace: 'istio-system' } })
    return fixture
  }

  /** Puts a pod's namespace where the container runtime would. */
  async runPod(number: number): Promise<Netns> {
    const netns = await this.node.addPod(number)
    symlinkSync(`/proc/${process.pid}/fd/${netns.fd}`, join(this.paths.netns, `cni-${number}`))
    return netns
  }

  putPod(name: string, number: number | undefined, labels: Record<string, string> = {}): void {
    const status = number === undefined ? { phase: 'Pending' } : { phase: 'Running', podIP: `10.91.${number}.2` }
    this.api.put('pods', {
      metadata: { name, namespace: 'apps', labels },
      spec: { nodeName: 'n1', serviceAccountName: name },
      status,
    })
  }

  async startAgent(): Promise<void> {
    const env = {
      PATH: process.env['PATH'],
      NODE_NAME: 'n1',
      KUBECONFIG: this.paths.kubeconfig,
      ALLOW_SWITCH_TO_HOST_NS: 'true',
      HOST_NETNS_PATH: `/proc/${process.pid}/fd/${this.hostNetns.fd}`,
      HOST_NETNS_DIR: this.paths.netns,
      HOST_PROC_DIR: this.paths.proc,
      HOST_ROOT: this.folder,
      CNI_AGENT_RUN_DIR: this.paths.run,
      MOUNTED_CNI_BIN_DIR: this.paths.bin,
      MOUNTED_CNI_NET_DIR: this.paths.config,
      ZTUNNEL_UDS_ADDRESS: this.paths.socket,
      SERVICE_ACCOUNT_DIR: join(this.folder, 'none'),
      HEALTH_PORT: '0',
      MONITORING_PORT: '0',
    }
    const agent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#agent = agent
    const ready = Promise.withResolvers<void>()
    for (const stream of [agent.stdout, agent.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.log += chunk.toString()
        if (this.log.includes('node agent ready')) ready.resolve()
      })
    }
    agent.once('exit', (code) => ready.reject(new Error(`agent exited with ${code}:\n${this.log}`)))
    await ready.promise
    this.log = ''
  }

  async stopAgent(signal: NodeJS.Signals): Promise<void> {
    const agent = this.#agent
    this.#agent = undefined
    if (agent === undefined) return
    const gone = once(agent, 'exit')
    agent.kill(signal)
    await gone
  }

  /** What the container runtime does for a new sandbox, after the plugins before ours. */
  async plugin(command: string, name: string, number: number): Promise<{ code: number; output: string }> {
    const chain = JSON.parse(readFileSync(this.paths.conflist, 'utf8')) as { plugins: object[] }
    const prevResult = { cniVersion: '1.0.0', ips: [{ address: `10.91.${number}.2/24` }] }
    const child = spawn(join(this.paths.bin, 'istio-cni'), {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: `sandbox-${number}`,
        CNI_IFNAME: 'eth0',
        CNI_NETNS: `/var/run/netns/cni-${number}`,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=apps;K8S_POD_NAME=${name}`,
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    child.stdin.end(JSON.stringify({ cniVersion: '1.0.0', ...chain.plugins.at(-1), prevResult }))
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>])
    return { code, output }
  }

  redirection(name: string): string | undefined {
    return this.api.annotation('apps', name, REDIRECTION)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAgent('SIGKILL')
    await this.api[Symbol.asyncDispose]()
    this.node[Symbol.dispose]()
    rmSync(this.folder, { recursive: true })
  }
}

async function logged<T>(t: ExecutionContext, fixture: Fixture, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    if (!t.passed) t.log(fixture.log)
  }
}

test.serial('a pod that exists is enrolled, and leaves without a trace when its label goes', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    const pod = await f.runPod(1)
    const before = await networkState(pod)
    f.api.put('namespaces', { metadata: { name: 'apps', labels: {} } })
    f.putPod('a', 1)
    await f.startAgent()
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await ztunnel.saw('snapshotSent')
    t.is(f.redirection('a'), undefined)
    t.is(await networkState(pod), before)

    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    await f.api.until(() => f.redirection('a') === 'enabled')
    const added = await ztunnel.saw('add')
    t.like(added, { uid: 'uid-a', name: 'a' })
    t.is(String(added.netns), pod.id.slice(pod.id.indexOf(':') + 1))
    t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15001/)
    t.regex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2 comment "uid-a"/)

    f.putPod('a', 1, { [MODE]: 'none' })
    await f.api.until(() => f.redirection('a') === undefined)
    await ztunnel.saw('del', 'uid-a')
    t.is(await networkState(pod), before)
    t.notRegex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2/)
  })
})

test.serial('without a ztunnel a pod is pending, and enabled as soon as one answers', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    await f.runPod(1)
    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    f.putPod('a', 1)
    await f.startAgent()
    await f.api.until(() => f.redirection('a') === 'pending')
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await f.api.until(() => f.redirection('a') === 'enabled')
    t.is(ztunnel.seen[0]?.uid, 'uid-a')
  })
})

test.serial('a new pod is enrolled by the plugin before it runs; without the agent its sandbox fails', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    await f.startAgent()
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await ztunnel.saw('snapshotSent')
    const pod = await f.runPod(1)
    f.putPod('b', undefined)
    const added = await f.plugin('ADD', 'b', 1)
    t.deepEqual(added, { code: 0, output: '{"cniVersion":"1.0.0","ips":[{"address":"10.91.1.2/24"}]}\n' })
    t.is(f.redirection('b'), 'enabled')
    t.like(await ztunnel.saw('add'), { uid: 'uid-b' })
    t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15006/)
    t.deepEqual(await f.plugin('CHECK', 'b', 1), { code: 0, output: '' })
    await runNft(pod, 'delete table inet istio-ambient-nat')
    t.regex((await f.plugin('CHECK', 'b', 1)).output, /apps\/b is in the mesh, and its redirection rules are gone/)
    t.deepEqual(await f.plugin('DEL', 'b', 1), { code: 0, output: '' })

    f.putPod('optout', undefined, { [MODE]: 'none' })
    await f.runPod(2)
    t.is((await f.plugin('ADD', 'optout', 2)).code, 0)
    t.is(f.redirection('optout'), undefined)

    ztunnel.refusals.set('uid-c', 'cannot bind')
    f.putPod('c', undefined)
    await f.runPod(3)
    const refused = await f.plugin('ADD', 'c', 3)
    t.is(refused.code, 1)
    t.regex(refused.output, /istio-cni cmdAdd failed to contact node Istio CNI agent: .*cannot bind/)

    await f.stopAgent('SIGKILL')
    const failed = await f.plugin('ADD', 'b', 1)
    t.is(failed.code, 1)
    t.regex(
      (JSON.parse(failed.output) as { msg: string }).msg,
      /^istio-cni cmdAdd failed to contact node Istio CNI agent: /,
    )
  })
})

test.serial(
  'a killed agent takes its pods over again: rules repaired, snapshot whole, deletions noticed',
  async (t) => {
    await using f = await Fixture.create()
    await logged(t, f, async () => {
      const pod = await f.runPod(1)
      await f.runPod(2)
      f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
      f.putPod('a', 1)
      f.putPod('b', 2)
      await f.startAgent()
      using first = await ScriptedZtunnel.connect(f.paths.socket)
      await f.api.until(() => f.redirection('a') === 'enabled' && f.redirection('b') === 'enabled')
      await f.stopAgent('SIGKILL')
      await first.ended
      await runNft(pod, 'delete table inet istio-ambient-nat')
      f.api.delete('pods', 'apps', 'b')

      await f.startAgent()
      using second = await ScriptedZtunnel.connect(f.paths.socket)
      await second.saw('snapshotSent')
      t.deepEqual(
        second.seen.map(({ kind, uid }) => `${kind} ${uid}`),
        ['add uid-a', 'snapshotSent '],
      )
      t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15001/)
      const probes = await readNft(f.node.host, ['list', 'ruleset'])
      t.regex(probes, /10\.91\.1\.2/)
      t.notRegex(probes, /10\.91\.2\.2/)

      f.api.delete('pods', 'apps', 'a')
      await second.saw('del', 'uid-a')
    })
  },
)

test.serial(
  'where process 1 is on no node, the namespace with the address of the node gets the probe rules',
  async (t) => {
    await using f = await Fixture.create()
    await logged(t, f, async () => {
      await f.runPod(1)
      f.api.put('nodes', {
        metadata: { name: 'n1' },
        status: { addresses: [{ type: 'InternalIP', address: '10.91.1.1' }] },
      })
      symlinkSync(`/proc/${process.pid}/fd/${f.node.host.fd}`, join(f.paths.netns, 'node'))
      using elsewhere = Netns.create()
      f.hostNetns = elsewhere
      f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
      f.putPod('a', 1)
      await f.startAgent()
      using _ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
      await f.api.until(() => f.redirection('a') === 'enabled')
      t.regex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2/)
      t.is(await readNft(elsewhere, ['list', 'ruleset']), '')
    })
  },
)

test.serial('the plugin stays in the chain until the DaemonSet is gone', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    const chain = (): string[] =>
      (JSON.parse(readFileSync(f.paths.conflist, 'utf8')) as { plugins: { type: string }[] }).plugins.map(
        ({ type }) => type,
      )
    await f.startAgent()
    t.deepEqual(chain(), ['bridge', 'istio-cni'])
    t.is(statSync(f.paths.conflist).mode & 0o777, 0o600)
    t.is(statSync(join(f.paths.run, 'istio-cni-kubeconfig')).mode & 0o777, 0o600)

    // Another program writes its configuration anew.
    writeFileSync(f.paths.conflist, JSON.stringify(PRIMARY))
    while (!readFileSync(f.paths.conflist, 'utf8').includes('istio-cni'))
      await new Promise((resolve) => setImmediate(resolve))

    await f.stopAgent('SIGTERM')
    t.deepEqual(chain(), ['bridge', 'istio-cni'], 'a restart leaves everything in place')
    await f.startAgent()
    f.api.delete('daemonsets', 'istio-system', 'istio-cni-node')
    await f.stopAgent('SIGTERM')
    t.deepEqual(chain(), ['bridge'])
    t.false(existsSync(join(f.paths.bin, 'istio-cni')))
    t.false(existsSync(join(f.paths.run, 'istio-cni-kubeconfig')))
  })
})
