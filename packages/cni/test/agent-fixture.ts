import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Netns } from '@ambit/linux'
import type { ExecutionContext } from 'ava'
import { MiniApi } from './mini-api.ts'
import { TestNode } from './pod-netns.ts'

const REDIRECTION = 'ambient.istio.io/redirection'
const MAIN = new URL('../src/main.ts', import.meta.url).pathname
/** A chain as another network plugin leaves it. */
export const PRIMARY: object = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }] }

/** A node with its folders, its API server and an agent that can be started and killed. */
export class Fixture implements AsyncDisposable {
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

  async startAgent(more: Readonly<Record<string, string>> = {}): Promise<void> {
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
      ...more,
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

/** Shows what the agent said when a test fails. */
export async function logged<T>(t: ExecutionContext, fixture: Fixture, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    if (!t.passed) t.log(fixture.log)
  }
}
