// `npm run bench -- --control-plane`: the controller in a process of its own, beside a large cluster that changes.
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { machineFacts } from '../machine-facts.ts'
import { align } from '../report.ts'
import { askForCertificates } from './certificate-load.ts'
import { apps, CONTROL_NAMESPACE, hostOf, type MeshSize, NODE_ACCOUNT } from './mesh-objects.ts'
import type { FromApiServer, ProcessSample, ToApiServer, ToProbe } from './messages.types.ts'
import { Proxies } from './proxies.ts'

export interface ControlPlaneEffort {
  readonly pods: number
  readonly services: number
  readonly proxies: number
  /** Proxies that want everything. */
  readonly wildcard: number
  readonly rate: number
  readonly seconds: number
  readonly certificates: number
  /** Folder that the controller leaves a processor profile in. */
  readonly profile?: string | undefined
}

export const FULL_CONTROL_PLANE: ControlPlaneEffort = {
  pods: 50_000,
  services: 1_000,
  proxies: 100,
  wildcard: 10,
  rate: 100,
  seconds: 600,
  certificates: 10_000,
}
export const QUICK_CONTROL_PLANE: ControlPlaneEffort = {
  pods: 2_000,
  services: 100,
  proxies: 20,
  wildcard: 4,
  rate: 100,
  seconds: 10,
  certificates: 1_000,
}
/** Names that a proxy without everything asks for. */
const WANTED_SERVICES = 20
const SAMPLES = 10
const MAIN = join(import.meta.dirname, '../../../packages/controller/src/main.ts')
const PROBE = join(import.meta.dirname, 'probe.ts')
const API_SERVER = join(import.meta.dirname, 'api-server.ts')
const FLAGS = ['--disable-warning=ExperimentalWarning']

type Row = readonly [name: string, value: string]

export async function benchControlPlane(effort: ControlPlaneEffort, json: string | undefined): Promise<number> {
  const facts = machineFacts([])
  const folder = mkdtempSync(join(tmpdir(), 'ambit-control-plane-'))
  const children: ChildProcess[] = []
  try {
    const rows = await measure(effort, folder, children)
    console.log('')
    for (const fact of facts) console.log(fact)
    console.log("The API server is the sandbox's; it, the proxies and the controller share the CPUs.\n")
    for (const line of align(rows)) console.log(line)
    if (json !== undefined)
      writeFileSync(json, JSON.stringify({ facts, effort, results: Object.fromEntries(rows) }, undefined, 1))
    return 0
  } finally {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(effort: ControlPlaneEffort, folder: string, children: ChildProcess[]): Promise<readonly Row[]> {
  const rows: Row[] = []
  const adminToken = randomBytes(16).toString('hex')
  const apiServer = fork(API_SERVER, [adminToken], { execArgv: FLAGS })
  children.push(apiServer)
  const { port: apiPort, caPem } = await told(apiServer, 'ready')
  note(`filling the API server: ${effort.pods} pods`)
  const size: MeshSize = {
    pods: effort.pods,
    services: effort.services,
    namespaces: Math.max(1, effort.services / 20),
    nodes: Math.max(1, Math.min(500, effort.pods / 100)),
    policies: effort.services / 10,
  }
  ask(apiServer, { type: 'fill', size, proxies: effort.proxies })
  const { tokens } = await told(apiServer, 'filled')

  note('starting the controller')
  const ports = await freePorts(4)
  const [tls = 0, http = 0] = ports
  const startedMs = performance.now()
  const controller = startController({ folder, apiPort, caPem, adminToken, ports, profile: effort.profile })
  children.push(controller)
  await ready(controller, http)
  const started = await sample(controller)
  rows.push(
    ['start: until ready, s', ((performance.now() - startedMs) / 1000).toFixed(1)],
    ['start: CPU s', (started.cpuMs / 1000).toFixed(1)],
    ['start: RSS MiB', mib(started.rssBytes)],
    ['start: longest pause of the loop, ms', started.loopMaxMs.toFixed(0)],
  )
  const base = await sample(controller, true)
  rows.push(
    ['heap after collection MiB', mib(base.heapBytes)],
    ['heap per pod, bytes', (base.heapBytes / effort.pods).toFixed(0)],
  )
  const rootsPem = await rootsOf(apiPort, adminToken, caPem)

  note(`connecting ${effort.proxies} proxies`)
  const all = apps(size)
  const connectingMs = performance.now()
  await using proxies = await Proxies.start({
    port: tls,
    rootsPem,
    tokens,
    wildcard: effort.wildcard,
    wanted: (proxy) =>
      Array.from({ length: Math.min(WANTED_SERVICES, all.length) }, (_, at) =>
        hostOf(all[(proxy * 7 + at * 13) % all.length] as (typeof all)[number]),
      ),
  })
  const synced = await sample(controller, true)
  rows.push(
    [
      `sync: all ${effort.proxies} proxies (${effort.wildcard} with everything), s`,
      ((performance.now() - connectingMs) / 1000).toFixed(1),
    ],
    ['sync: CPU s', ((synced.cpuMs - base.cpuMs) / 1000).toFixed(1)],
    ['sync: heap after collection MiB', mib(synced.heapBytes)],
  )

  rows.push(
    ...(await certificates(effort, {
      apiServer,
      controller,
      port: tls,
      rootsPem,
      tokens: tokens.slice(0, 1),
      all,
      nodes: size.nodes,
    })),
  )
  rows.push(...(await changes(effort, { apiServer, controller, proxies, http })))
  const ended = once(controller, 'exit')
  controller.kill('SIGTERM')
  await ended
  return rows
}

async function changes(
  { rate, seconds, proxies: connected }: ControlPlaneEffort,
  parts: {
    readonly apiServer: ChildProcess
    readonly controller: ChildProcess
    readonly proxies: Proxies
    readonly http: number
  },
): Promise<readonly Row[]> {
  const { apiServer, controller, proxies } = parts
  note(`${rate} changes a second for ${seconds} s`)
  // Caches warm, code compiled: what grows from here on is growth.
  await changed(apiServer, rate, Math.max(2, seconds / 20))
  await sleep(1_000)
  const before = await sample(controller, true)
  const metricsBefore = await metrics(parts.http)
  proxies.count()
  const onMessage = (message: FromApiServer): void => {
    if (message.type === 'changing') proxies.expect(message.kind, message.resource, message.atMs)
  }
  apiServer.on('message', onMessage)
  const ownBefore = process.cpuUsage()
  const startedMs = performance.now()
  const done = changed(apiServer, rate, seconds)
  const samples: ProcessSample[] = []
  for (let at = 1; at <= SAMPLES; at++) {
    await sleep(Math.max(0, startedMs + (at * seconds * 1000) / SAMPLES - performance.now()))
    samples.push(await sample(controller))
  }
  const result = await done
  await sleep(2_000)
  apiServer.off('message', onMessage)
  const pushed = proxies.pushed
  const unseen = proxies.finish()
  const own = process.cpuUsage(ownBefore)
  const after = await sample(controller, true)
  const metricsAfter = await metrics(parts.http)
  const grown = (name: string): number => (metricsAfter.get(name) ?? 0) - (metricsBefore.get(name) ?? 0)
  const everyone = [...proxies.latencies.values()].flat()
  const per = (value: number): string => (value / result.count).toFixed(1)
  return [
    ['changes', `${result.count} in ${seconds} s to ${connected} proxies`],
    ['changes: CPU of the controller, s', ((after.cpuMs - before.cpuMs) / 1000).toFixed(2)],
    ['changes: cores of the controller', ((after.cpuMs - before.cpuMs) / 1000 / seconds).toFixed(3)],
    ['changes: write to ACK p50 ms', quantile(everyone, 0.5)],
    ['changes: write to ACK p99 ms', quantile(everyone, 0.99)],
    ['changes: write to last ACK p99 ms', quantile(proxies.lastLatencies, 0.99)],
    ...[...proxies.latencies].map(
      ([kind, times]): Row => [`changes: write to ACK p99 ms, ${kind}`, quantile(times, 0.99)],
    ),
    ['changes: seen by nobody', String(unseen)],
    ['changes: loop delay p99 ms', Math.max(...samples.map(({ loopP99Ms }) => loopP99Ms)).toFixed(0)],
    ['changes: loop delay max ms', Math.max(...samples.map(({ loopMaxMs }) => loopMaxMs)).toFixed(0)],
    ['changes: RSS MiB over time', samples.map(({ rssBytes }) => mib(rssBytes)).join(' ')],
    ['changes: heap after collection MiB', `${mib(before.heapBytes)} to ${mib(after.heapBytes)}`],
    ['changes: units compiled per change', per(grown('ambit_compiled_units_total'))],
    ['changes: responses per change', per(pushed.responses)],
    ['changes: payload bytes per change', per(pushed.bytes)],
    ['changes: resources per change', per(pushed.resources)],
    ['changes: CPU of the API server, s', (result.cpuMs / 1000).toFixed(2)],
    ['changes: CPU of the proxies, s', ((own.user + own.system) / 1e6).toFixed(2)],
    ['changes: writer behind at most, ms', result.behindMs.toFixed(0)],
  ]
}

async function certificates(
  { certificates: count }: ControlPlaneEffort,
  parts: {
    readonly apiServer: ChildProcess
    readonly controller: ChildProcess
    readonly port: number
    readonly rootsPem: string
    readonly tokens: readonly { readonly token: string }[]
    readonly all: ReturnType<typeof apps>
    readonly nodes: number
  },
): Promise<readonly Row[]> {
  const { apiServer, controller, port, rootsPem, all, nodes } = parts
  note(`${count} certificates`)
  // Pods of the first node.
  const identities = all
    .filter(({ index }) => index % nodes === 0)
    .map(({ namespace, name }) => ({ trustDomain: 'cluster.local', namespace, serviceAccount: name }))
  const distinct = Math.floor(count / 4)
  ask(apiServer, { type: 'tokens', count: distinct + 64 })
  const { tokens: fresh } = await told(apiServer, 'tokens')
  const rows: Row[] = []
  for (const [name, tokens, asked] of [
    ['token known', parts.tokens.map(({ token }) => token), count],
    ['each token reviewed', fresh, distinct],
  ] as const) {
    const before = await sample(controller)
    const { issued, seconds, p99Ms } = await askForCertificates({ port, rootsPem, tokens, identities, count: asked })
    const after = await sample(controller)
    const cpuSeconds = (after.cpuMs - before.cpuMs) / 1000
    rows.push(
      [`certificates, ${name}: a second of CPU`, (issued / cpuSeconds).toFixed(0)],
      [`certificates, ${name}: a second`, (issued / seconds).toFixed(0)],
      [`certificates, ${name}: p99 ms`, p99Ms.toFixed(0)],
      [`certificates, ${name}: loop delay max ms`, after.loopMaxMs.toFixed(0)],
    )
  }
  return rows
}

function startController(parts: {
  readonly folder: string
  readonly apiPort: number
  readonly caPem: string
  readonly adminToken: string
  readonly ports: readonly number[]
  readonly profile: string | undefined
}): ChildProcess {
  const kubeconfig = join(parts.folder, 'kubeconfig')
  const server = `https://127.0.0.1:${parts.apiPort}`
  const caData = Buffer.from(parts.caPem).toString('base64')
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'bench', cluster: { server, 'certificate-authority-data': caData } }],
      users: [{ name: 'bench', user: { token: parts.adminToken } }],
      contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
      'current-context': 'bench',
    }),
    { mode: 0o600 },
  )
  const [tls, http, monitoring, webhook] = parts.ports
  const profiling = parts.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${parts.profile}`]
  return fork(
    MAIN,
    [
      'discovery',
      `--secureGRPCAddr=:${tls}`,
      `--httpAddr=:${http}`,
      `--monitoringAddr=:${monitoring}`,
      `--httpsAddr=:${webhook}`,
      '--log_output_level=default:warn',
    ],
    {
      execArgv: [...FLAGS, '--expose-gc', '--import', PROBE, ...profiling],
      env: {
        PATH: process.env['PATH'],
        KUBECONFIG: kubeconfig,
        POD_NAME: 'istiod-bench',
        POD_NAMESPACE: CONTROL_NAMESPACE,
        ROOT_CA_DIR: join(parts.folder, 'no-plugged-ca'),
        CA_TRUSTED_NODE_ACCOUNTS: `${CONTROL_NAMESPACE}/${NODE_ACCOUNT}`,
      },
    },
  )
}

async function ready(controller: ChildProcess, port: number): Promise<void> {
  for (;;) {
    if (controller.exitCode !== null) throw new Error(`the controller ended with ${controller.exitCode}`)
    const answer = await fetch(`http://127.0.0.1:${port}/ready`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok === true) return
    await sleep(50)
  }
}

async function metrics(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const values = new Map<string, number>()
  for (const [, name = '', value] of text.matchAll(/^(\w+)(?:\{[^}]*\})? (\S+)$/gm))
    values.set(name, (values.get(name) ?? 0) + Number(value))
  return values
}

/** What the controller publishes for proxies to trust it by. */
async function rootsOf(port: number, token: string, ca: string): Promise<string> {
  const { Agent, get } = await import('node:https')
  const { json } = await import('node:stream/consumers')
  using agent = Object.assign(new Agent({ ca }), { [Symbol.dispose]: () => agent.destroy() })
  for (;;) {
    const path = `/api/v1/namespaces/${CONTROL_NAMESPACE}/configmaps/istio-ca-root-cert`
    const request = get({ host: '127.0.0.1', port, path, agent, headers: { authorization: `Bearer ${token}` } })
    const [answer] = await once(request, 'response')
    const { data } = (await json(answer)) as { readonly data?: Readonly<Record<string, string>> }
    const roots = data?.['root-cert.pem']
    if (roots !== undefined) return roots
    await sleep(50)
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  for (const server of servers) await once(server.listen(0), 'listening')
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) await once(server.close(), 'close')
  return ports
}

async function sample(controller: ChildProcess, collect = false): Promise<ProcessSample> {
  const request: ToProbe = { type: 'sample', collect }
  const answer = once(controller, 'message')
  controller.send(request)
  return ((await answer) as [ProcessSample])[0]
}

async function changed(
  apiServer: ChildProcess,
  rate: number,
  seconds: number,
): Promise<Extract<FromApiServer, { type: 'changed' }>> {
  ask(apiServer, { type: 'change', rate, seconds })
  return await told(apiServer, 'changed')
}

function ask(child: ChildProcess, message: ToApiServer): void {
  child.send(message)
}

async function told<T extends FromApiServer['type']>(
  child: ChildProcess,
  type: T,
): Promise<Extract<FromApiServer, { readonly type: T }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<FromApiServer, { readonly type: T }>>()
  const onMessage = (message: FromApiServer): void => {
    if (message.type === type) resolve(message as Extract<FromApiServer, { readonly type: T }>)
  }
  const onExit = (): void => reject(new Error('the API server ended'))
  child.on('message', onMessage)
  child.once('exit', onExit)
  try {
    return await promise
  } finally {
    child.off('message', onMessage)
    child.off('exit', onExit)
  }
}

function quantile(values: readonly number[], at: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor(sorted.length * at)] ?? Number.NaN).toFixed(0)
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0)
}

function note(text: string): void {
  process.stderr.write(`${text}\n`)
}
