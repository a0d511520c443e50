import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineFacts } from '../machine-facts.ts'
import { align, median } from '../report.ts'
import { measureLookups } from './lookups.ts'
import type { MeshSize } from './mesh-resources.ts'
import { SUBJECTS } from './policies.ts'
import { measurePolicyChange } from './policy-change.ts'
import { measureSnapshots, type SnapshotSample } from './snapshot.ts'
import { measureHttpVerdicts, measureVerdicts, type VerdictCase } from './verdicts.ts'

export interface ScaleEffort {
  readonly size: MeshSize
  readonly rounds: number
  readonly policies: readonly number[]
  /** CPU for one number. */
  readonly budgetMs: number
  readonly connections: number
}

export const FULL_SCALE: ScaleEffort = {
  size: { pods: 50_000, services: 1_000 },
  rounds: 5,
  policies: [1, 100, 10_000],
  budgetMs: 100,
  connections: 10_000,
}

export const QUICK_SCALE: ScaleEffort = {
  size: { pods: 5_000, services: 100 },
  rounds: 1,
  policies: [1, 1_000],
  budgetMs: 20,
  connections: 1_000,
}

type Rows = readonly (readonly string[])[]

const RANGES = 1_000
const POLICIES_PER_NAMESPACE = 100

/** What a large mesh costs a proxy: its state, its verdicts and look-ups, and a policy that changes. */
export async function benchScale(effort: ScaleEffort, json: string | undefined): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-scale-'))
  const facts = machineFacts([])
  try {
    const snapshots = await measureSnapshots(effort.size, effort.rounds, folder)
    const verdicts = cases(effort.policies).map((given) => ({ ...given, ...measureVerdicts(given, effort.budgetMs) }))
    const requests = effort.policies.flatMap((count) =>
      (['Allow', 'Deny'] as const).map((action) => ({
        count,
        action,
        ...measureHttpVerdicts(count, action, effort.budgetMs),
      })),
    )
    const lookups = measureLookups(effort.size, RANGES, effort.budgetMs)
    const changes = []
    for (const scope of ['Namespace', 'Global'] as const) {
      changes.push({ scope, ...(await measurePolicyChange(effort.connections, POLICIES_PER_NAMESPACE, scope)) })
    }
    console.log(`\n${effort.size.pods} pods, ${effort.size.services} services; medians of ${effort.rounds} snapshots.`)
    for (const fact of facts) console.log(fact)
    console.log('CPU is that of one thread. On a busy machine only it and counts mean something.\n')
    print([
      ['snapshot', 's', 'CPU s', 'pause ms', 'of CPU ms', 'held MB', 'RSS MB', 'peak MB', 'B/workload'],
      ...[...snapshots].map(([name, samples]) => [name, ...snapshotCells(samples)]),
    ])
    print([
      ['connection verdict', 'policies', 'hit us', 'miss us', 'looked at', 'of a miss'],
      ...verdicts.map(({ scope, action, subject, count, hitUs, missUs, hitLookedAt, missLookedAt }) => [
        `${scope} ${action} ${subject}`,
        String(count),
        ...[hitUs, missUs].map((us) => us.toFixed(2)),
        ...[hitLookedAt, missLookedAt].map((n) => n.toFixed(1)),
      ]),
    ])
    print([
      ['request verdict', 'policies', 'hit us', 'miss us'],
      ...requests.map(({ count, action, hitUs, missUs }) => [
        action,
        String(count),
        hitUs.toFixed(2),
        missUs.toFixed(2),
      ]),
    ])
    print([['look-up', 'us'], ...[...lookups].map(([name, us]) => [name, us.toFixed(3)])])
    print([
      [`policy change, ${effort.connections} connections`, 'CPU ms', 'pause CPU ms', 'cut'],
      ...changes.map(({ scope, cpuMs, longestCpuMs, cut }) => [
        scope,
        cpuMs.toFixed(1),
        longestCpuMs.toFixed(1),
        String(cut),
      ]),
    ])
    if (json !== undefined) {
      const samples = { snapshots: Object.fromEntries(snapshots), verdicts, requests, changes }
      writeFileSync(
        json,
        JSON.stringify({ facts, effort, ...samples, lookups: Object.fromEntries(lookups) }, undefined, 1),
      )
    }
    return 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every scope and action by principal, every subject in one scope. */
function cases(counts: readonly number[]): readonly VerdictCase[] {
  const scopes = ['Global', 'Namespace', 'WorkloadSelector'] as const
  const actions = ['Allow', 'Deny'] as const
  return counts.flatMap((count) => [
    ...scopes.flatMap((scope) => actions.map((action) => ({ count, scope, action, subject: 'principals' as const }))),
    ...SUBJECTS.slice(1).map((subject) => ({ count, scope: 'Namespace' as const, action: 'Allow' as const, subject })),
  ])
}

function snapshotCells(samples: readonly SnapshotSample[]): readonly string[] {
  const of = (metric: keyof SnapshotSample, scale: number, digits: number): string =>
    ((median(samples.map((sample) => sample[metric])) ?? 0) * scale).toFixed(digits)
  return [
    of('ms', 0.001, 2),
    of('cpuMs', 0.001, 2),
    of('longestMs', 1, 1),
    of('longestCpuMs', 1, 1),
    of('heldBytes', 1e-6, 1),
    of('rssBytes', 1e-6, 1),
    of('peakRssBytes', 1e-6, 1),
    of('heldPerWorkload', 1, 0),
  ]
}

function print(rows: Rows): void {
  for (const line of align(rows)) console.log(line)
  console.log('')
}
