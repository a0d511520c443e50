import { type LoadResult, runLoad } from '../load.ts'
import type { Process } from '../processes.ts'
import { AUTHORITY, PATH } from './asked.ts'
import type { HttpDesign, HttpVersion, Running } from './http-design.types.ts'

/** How long; --quick is for seeing that it works, not for quoting. */
export interface HttpEffort {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** No round is started that would end later than this after the first, at the pace so far. */
  readonly budgetSeconds: number
}

export const FULL_HTTP: HttpEffort = { rounds: 3, seconds: 0.7, warmUpSeconds: 0.4, budgetSeconds: 170 }
export const QUICK_HTTP: HttpEffort = { rounds: 1, seconds: 0.3, warmUpSeconds: 0.2, budgetSeconds: 55 }

/** Everything measured of one design and one version of HTTP in one round. */
export type HttpSample = Readonly<Record<HttpMetric, number>>

export type HttpMetric =
  | 'one.rate'
  | 'one.p50'
  | 'one.p99'
  | 'one.cpu'
  | 'many.rate'
  | 'many.p50'
  | 'many.p99'
  | 'many.cpu'
  | 'many.busy'
  | 'many.endsCpu'
  | 'many.clientCpu'

const MANY = 32

/** Measures a design that runs. CPU is in seconds for ten thousand requests. */
export async function measureHttp(
  generator: string,
  design: HttpDesign,
  running: Running,
  version: HttpVersion,
  effort: HttpEffort,
): Promise<HttpSample> {
  const { subjects, ends } = running
  const run = (clients: number, seconds: number): Promise<LoadResult> =>
    runLoad(generator, running, version, [clients, seconds, AUTHORITY, PATH])
  const costing = async (clients: number) => {
    const before = [cpuOf(subjects), cpuOf(ends)] as const
    const { rate = 0, p50 = 0, p99 = 0, total = 0, seconds = 0, cpu = 0 } = await run(clients, effort.seconds)
    const [spent, endsSpent] = [cpuOf(subjects) - before[0], cpuOf(ends) - before[1]]
    const per10k = (cpuSeconds: number): number => cpuSeconds / (total / 10_000)
    return {
      rate,
      p50,
      p99,
      cpu: per10k(spent),
      busy: spent / seconds,
      endsCpu: per10k(endsSpent),
      clientCpu: per10k(cpu),
    }
  }
  await run(MANY, effort.warmUpSeconds * (design.warmUpFactor ?? 1))
  const one = await costing(1)
  const many = await costing(MANY)
  return {
    'one.rate': one.rate,
    'one.p50': one.p50,
    'one.p99': one.p99,
    'one.cpu': one.cpu,
    'many.rate': many.rate,
    'many.p50': many.p50,
    'many.p99': many.p99,
    'many.cpu': many.cpu,
    'many.busy': many.busy,
    'many.endsCpu': many.endsCpu,
    'many.clientCpu': many.clientCpu,
  }
}

function cpuOf(processes: readonly Process[]): number {
  return processes.reduce((sum, each) => sum + each.cpuSeconds(), 0)
}
