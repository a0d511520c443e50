import { verdictCalls } from '../bench/scale/verdicts.ts'
import { costsOfEach } from './counters.ts'

const CALLS = 20_000

/** Bytes that one verdict allocates, and how many rules it looks at. */
export interface VerdictCosts {
  readonly allocated: number
  readonly lookedAt: number
}

/** Of a client that one of so many ALLOW policies of a namespace is about. */
export async function measureVerdict(count: number): Promise<VerdictCosts> {
  const { hit, hitLookedAt } = verdictCalls({ count, scope: 'Namespace', action: 'Allow', subject: 'principals' })
  const { allocated } = await costsOfEach(CALLS, (calls) => {
    for (let round = 0; round < calls; round++) hit(round)
  })
  return { allocated, lookedAt: hitLookedAt }
}
