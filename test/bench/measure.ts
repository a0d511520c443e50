import type { Design } from './design.types.ts'
import { clientEnv, type LoadResult, runLoad } from './load.ts'
import type { Namespaces } from './namespaces.ts'
import { Process } from './processes.ts'

/** How long and how much; --quick is for seeing that it works, not for quoting. */
export interface Effort {
  readonly rounds: number
  readonly bulkBytes: number
  readonly seconds: number
  readonly idleConnections: number
  /** No round is started that would end later than this after the first, at the pace so far. */
  readonly budgetSeconds: number
}

export const FULL: Effort = {
  rounds: 3,
  bulkBytes: 512 * 1024 ** 2,
  seconds: 1.2,
  idleConnections: 1000,
  budgetSeconds: 330,
}
export const QUICK: Effort = {
  rounds: 1,
  bulkBytes: 128 * 1024 ** 2,
  seconds: 0.5,
  idleConnections: 300,
  budgetSeconds: 55,
}

/** Everything measured of one design in one round; members that failed are absent. */
export type Sample = Readonly<Partial<Record<Metric, number>>>

export type Metric =
  | 'bulk1Gbps'
  | 'bulk16Gbps'
  | 'cpuPerGiB'
  | 'rr1Rate'
  | 'rr1P50'
  | 'rr1P99'
  | 'rr32Rate'
  | 'rr32P50'
  | 'rr32P99'
  | 'cpuPer10kRequests'
  | 'connectRate'
  | 'connectP99'
  | 'idleBytes'
  | 'miceP99'
  | 'miceBesideElephantP99'
  | 'baseBytes'
  | 'afterStormBytes'

const REQUEST_BYTES = 1024
/** Connections that carry small messages while one beside them uploads. */
const MICE = 4
/** At once, of a storm of new connections. */
const STORM = 64
/** What is freed late is freed by then. */
const SETTLE_MS = 2000
const GIB = 1024 ** 3

/** Measures a design whose proxies are running and warm. */
export async function measure(
  load: string,
  design: Design,
  proxies: readonly Process[],
  namespaces: Namespaces,
  effort: Effort,
): Promise<Sample> {
  const run = (mode: string, ...args: readonly (string | number)[]): Promise<LoadResult> =>
    runLoad(load, design, mode, args)
  const costing = async (work: () => Promise<LoadResult>): Promise<LoadResult & { readonly cpu: number }> => {
    const before = cpuOf(proxies)
    const result = await work()
    return { ...result, cpu: cpuOf(proxies) - before }
  }
  const baseBytes = memoryOf(proxies)
  const bulk1 = await costing(() => run('bulk', 1, effort.bulkBytes))
  const bulk16 = await run('bulk', 16, effort.bulkBytes)
  const rr1 = await run('rr', 1, REQUEST_BYTES, effort.seconds)
  const rr32 = await costing(() => run('rr', 32, REQUEST_BYTES, effort.seconds))
  const connects = await run('connect', 16, effort.seconds)
  const idleBytes = proxies.length === 0 ? 0 : await measureIdle(load, design, proxies, namespaces, effort)
  const mice = await run('rr', MICE, REQUEST_BYTES, effort.seconds)
  const disturbed = await besideElephant(load, design, namespaces, () => run('rr', MICE, REQUEST_BYTES, effort.seconds))
  await run('connect', STORM, effort.seconds)
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  return {
    bulk1Gbps: bulk1.gbps ?? 0,
    bulk16Gbps: bulk16.gbps ?? 0,
    cpuPerGiB: bulk1.cpu / (effort.bulkBytes / GIB),
    rr1Rate: rr1.rate ?? 0,
    rr1P50: rr1.p50 ?? 0,
    rr1P99: rr1.p99 ?? 0,
    rr32Rate: rr32.rate ?? 0,
    rr32P50: rr32.p50 ?? 0,
    rr32P99: rr32.p99 ?? 0,
    cpuPer10kRequests: rr32.total === undefined ? 0 : rr32.cpu / (rr32.total / 10_000),
    connectRate: (connects.failed ?? 0) > 0 ? 0 : (connects.rate ?? 0),
    connectP99: connects.p99 ?? 0,
    idleBytes,
    miceP99: mice.p99 ?? 0,
    miceBesideElephantP99: disturbed.p99 ?? 0,
    baseBytes,
    afterStormBytes: memoryOf(proxies) - baseBytes,
  }
}

/** Does something while one connection uploads as fast as it can. */
async function besideElephant<T>(
  load: string,
  design: Design,
  namespaces: Namespaces,
  work: () => Promise<T>,
): Promise<T> {
  const { host, port } = design.target
  await using elephant = await Process.start(namespaces, {
    name: 'elephant',
    side: 'near',
    command: [load, 'flood', host, String(port), '1'],
    env: clientEnv(design),
  })
  const result = await work()
  if (!elephant.alive) throw new Error(`the upload beside it ended:\n${elephant.tail}`)
  elephant.endInput()
  return result
}

/** Lets just-in-time compilation and connection pools settle. */
export async function warmUp(load: string, design: Design, effort: Effort): Promise<void> {
  await runLoad(load, design, 'rr', [8, REQUEST_BYTES, Math.min(0.7, effort.seconds)])
  await runLoad(load, design, 'connect', [16, Math.min(0.5, effort.seconds)])
  await runLoad(load, design, 'bulk', [4, effort.bulkBytes / 4])
}

async function measureIdle(
  load: string,
  design: Design,
  proxies: readonly Process[],
  namespaces: Namespaces,
  effort: Effort,
): Promise<number> {
  const before = memoryOf(proxies)
  const { host, port } = design.target
  await using holder = await Process.start(namespaces, {
    name: 'idle',
    side: 'near',
    command: [load, 'idle', host, String(port), String(effort.idleConnections)],
    env: clientEnv(design),
  })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const grown = memoryOf(proxies) - before
  holder.endInput()
  // Both proxies together, as every other cost.
  return Math.max(0, grown / effort.idleConnections)
}

/** Of all proxies together. */
function memoryOf(proxies: readonly Process[]): number {
  return proxies.reduce((sum, proxy) => sum + proxy.residentBytes(), 0)
}

function cpuOf(proxies: readonly Process[]): number {
  return proxies.reduce((sum, proxy) => sum + proxy.cpuSeconds(), 0)
}
