import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CA_NAME } from './ca.ts'

/** Where the proxies of the client's side are. */
export const NEAR = '10.77.0.1'
/** Where the client connects from: only its connections are redirected, not those of the proxy beside it. */
export const CLIENT = '10.77.0.10'
/** The server's address that the mesh takes for an HBONE workload. */
export const FAR = '10.77.0.2'
/** The server's address that the mesh takes for a plain TCP workload. */
export const FAR_PLAIN = '10.77.0.3'
/** Nobody redirects this port. */
export const DIRECT_PORT = 9000
/** Redirected to the proxies at both ends. */
export const MESH_PORT = 9001

/** Mark on the proxies' own sockets, which are never redirected (Istio: 0x539). */
const PROXY_MARK = 1337

const SYSCTLS: readonly (readonly [string, string])[] = [
  ['tcp_max_tw_buckets', '512'],
  // Above every port that a design listens on.
  ['ip_local_port_range', '20000 65000'],
]

export type Side = 'near' | 'far'

/**
 * Two network namespaces joined by one link: this process's own, and another held by a sleeping child. Needs to be
 * started in fresh user, network and PID namespaces (see main.ts), so nothing of it can outlive or touch the machine.
 */
export class Namespaces implements Disposable {
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  static async create(): Promise<Namespaces> {
    const holder = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    const namespaces = new Namespaces(holder)
    namespaces.#must('near', [
      'ip',
      'link',
      'add',
      'near',
      'type',
      'veth',
      'peer',
      'name',
      'far',
      'netns',
      String(holder.pid),
    ])
    namespaces.#nameHosts()
    namespaces.#up('near', [NEAR, CLIENT])
    namespaces.#up('far', [FAR, FAR_PLAIN])
    for (const side of ['near', 'far'] as const) namespaces.#tune(side)
    return namespaces
  }

  /** Sends MESH_PORT through proxies that listen where Istio's do, at both ends. */
  redirect(): void {
    this.#must('near', ['nft', '-f', '-'], redirectRules('output', `ip saddr ${CLIENT}`, 15001))
    this.#must('far', ['nft', '-f', '-'], redirectRules('prerouting', 'iif != lo', 15006))
  }

  noRedirect(): void {
    for (const side of ['near', 'far'] as const) this.#must(side, ['nft', 'flush', 'ruleset'])
  }

  /** The command that runs `command` on one side. */
  command(side: Side, command: readonly string[]): readonly string[] {
    return side === 'near' ? command : ['nsenter', '-t', String(this.#holder.pid), '-n', '--', ...command]
  }

  [Symbol.dispose](): void {
    this.#holder.kill('SIGKILL')
  }

  /** Puts names of the bench over /etc/hosts, in this mount namespace only. */
  #nameHosts(): void {
    const folder = mkdtempSync(join(tmpdir(), 'ambit-bench-hosts-'))
    const file = join(folder, 'hosts')
    writeFileSync(file, `127.0.0.1 localhost\n${NEAR} ${CA_NAME}\n`)
    this.#must('near', ['mount', '--bind', file, '/etc/hosts'])
    // The mount keeps the file; its name is not needed any more.
    rmSync(folder, { recursive: true, force: true })
  }

  #up(side: Side, addresses: readonly string[]): void {
    this.#must(side, ['ip', 'link', 'set', 'lo', 'up'])
    for (const address of addresses) this.#must(side, ['ip', 'address', 'add', `${address}/24`, 'dev', side])
    this.#must(side, ['ip', 'link', 'set', side, 'up'])
  }

  /**
   * Thousands of short connections per second to one address would fill the port range with TIME_WAIT sockets; from then
   * on the kernel's search for a free port is what is measured, of whichever design comes later.
   */
  #tune(side: Side): void {
    this.#must(side, [
      'sh',
      '-c',
      SYSCTLS.map(([name, value]) => `echo '${value}' > /proc/sys/net/ipv4/${name}`).join('; '),
    ])
  }

  #must(side: Side, command: readonly string[], input = ''): void {
    const [program = '', ...args] = this.command(side, command)
    const result = spawnSync(program, args, { input, encoding: 'utf8' })
    if (result.status !== 0)
      throw new Error(`${command.join(' ')}: ${result.stderr || (result.error?.message ?? 'failed')}`)
  }
}

function redirectRules(hook: 'output' | 'prerouting', who: string, port: number): string {
  return `table ip bench {
  chain ${hook} {
    type nat hook ${hook} priority -100;
    meta mark ${PROXY_MARK} return
    ${who} tcp dport ${MESH_PORT} redirect to :${port}
  }
}
`
}
