import type { Sourced } from '@ambit/analyze'
import { MeshModel, type MeshModelInput } from '@ambit/explain'
import { changedObjects } from './compare/changed-objects.ts'
import type { Sides } from './compare/compare-destination.ts'
import { comparePolicies } from './compare/compare-policies.ts'
import { DIFF_FORMAT, type PolicyDiff } from './diff.types.ts'
import type { ReadFlows } from './flows/read-flows.ts'
import { replayFlows } from './replay/replay-flows.ts'

export interface DiffInput {
  /** Objects of both sides, and what was left out of them. */
  readonly objects: Sides<readonly Sourced[]>
  readonly settings: Omit<MeshModelInput, 'objects'>
  readonly flows?: ReadFlows | undefined
}

/** What becomes of who may speak to whom when one set of objects takes the place of another. */
export function diffPolicies({ objects, settings, flows }: DiffInput): PolicyDiff {
  const changes = changedObjects(objects.before, objects.after)
  const models: Sides<MeshModel> = {
    before: MeshModel.of({ ...settings, objects: objects.before }),
    after: MeshModel.of({ ...settings, objects: objects.after }),
  }
  const compared = comparePolicies(models, { onlyPolicies: changes.onlyPolicies })
  const gaps = new Set([...models.after.gaps, ...models.after.problems, ...compared.gaps])
  const told = flows && replayFlows(models, flows, compared.compared)
  for (const gap of flowGaps(flows)) gaps.add(gap)
  return {
    format: DIFF_FORMAT,
    objects: changes.told,
    regions: compared.regions,
    ...(told === undefined ? {} : { flows: told }),
    gaps: [...gaps],
    isPartial: compared.isPartial,
  }
}

/** Whether anything changes for anybody. */
export function changesAccess({ regions, flows }: PolicyDiff, change?: 'denied' | 'allowed'): boolean {
  const all = [...regions, ...(flows?.changed ?? [])]
  return all.some((one) => change === undefined || one.change === change)
}

function flowGaps(flows: ReadFlows | undefined): readonly string[] {
  if (flows === undefined) return []
  const { gaps, end, problems } = flows
  return [
    ...gaps.map(({ message, count }) => `the recording: ${message}${count === 1 ? '' : ` (${count} times)`}`),
    ...problems.map((problem) => `the recording, ${problem}`),
    ...(end === undefined ? ['the recording has no end: it was cut short, and counts may be too low'] : []),
    ...(end?.complete === false ? [`the recording is not complete: ${end.reason}`] : []),
  ]
}
