import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { ScriptedXds } from '../../../packages/testing/src/index.ts'
import { type MeshSize, meshTable, podIpOf, vipOf } from './mesh-resources.ts'

/** What one snapshot cost its receiver; memory is above that of the same process before. */
export interface SnapshotSample {
  readonly workloads: number
  readonly services: number
  readonly ms: number
  readonly cpuMs: number
  readonly longestMs: number
  readonly longestCpuMs: number
  readonly heldBytes: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly heldPerWorkload: number
}

export type SnapshotRow = 'everything' | 'on demand'

/** Names a proxy asks for when it is told only what its node talks to. */
const DEMANDED = { services: 20, pods: 100 }

/** The mesh sent by the project's own server over TLS to a process that holds what ztunnel holds. */
export async function measureSnapshots(
  size: MeshSize,
  rounds: number,
  folder: string,
): Promise<ReadonlyMap<SnapshotRow, readonly SnapshotSample[]>> {
  await using server = await ScriptedXds.start({ table: meshTable(size) })
  const roots = join(folder, 'roots.pem')
  writeFileSync(roots, server.certificates.rootsPem)
  const names = join(folder, 'names')
  const spread = (count: number, of: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.floor((i * of) / count))
  const demanded = [
    ...spread(DEMANDED.services, size.services).map(vipOf),
    ...spread(DEMANDED.pods, size.pods).map(podIpOf),
  ]
  writeFileSync(names, demanded.map((address) => `/${address}`).join('\n'))
  const samples: Record<SnapshotRow, SnapshotSample[]> = { everything: [], 'on demand': [] }
  for (let round = 0; round < rounds; round++) {
    samples.everything.push(await receive([server.address, roots]))
    samples['on demand'].push(await receive([server.address, roots, names]))
  }
  return new Map(Object.entries(samples) as [SnapshotRow, SnapshotSample[]][])
}

async function receive(args: readonly string[]): Promise<SnapshotSample> {
  const program = join(import.meta.dirname, 'snapshot-client.ts')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (code !== 0) throw new Error(`the receiver of the snapshot ended with ${code}`)
  return JSON.parse(said) as SnapshotSample
}
