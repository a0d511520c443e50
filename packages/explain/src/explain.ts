import type { Asked } from './asked.types.ts'
import type { CompiledMesh } from './compile/compile-mesh.ts'
import { type EnforcementPoint, EXPLANATION_FORMAT, type Explanation, type NearestMiss } from './explanation.types.ts'
import { answerOf } from './journey/answer-of.ts'
import type { Check, Journey } from './journey/journey.types.ts'
import { notEnforced } from './not-enforced/not-enforced.ts'
import { type CheckTrace, traceCheck } from './trace/trace-check.ts'

/** The answer with its reasons. */
export function explain(compiled: CompiledMesh, asked: Asked, gaps: readonly string[]): Explanation {
  const traced = trace(compiled, asked, gaps)
  const policies = traced.points.flatMap((point) => point.policies)
  return { ...traced, notEnforced: notEnforced(compiled, asked, policies) }
}

/** The same but for what is not enforced, which takes a look at every policy there is. */
export function trace(compiled: CompiledMesh, asked: Asked, gaps: readonly string[]): Explanation {
  const { question, journey } = asked
  const traced = journey.checks.map((check) => ({ check, trace: traceCheck(compiled, check) }))
  const answer = answerOf(compiled, journey)
  const nearest = nearestMiss(traced)
  return {
    format: EXPLANATION_FORMAT,
    question,
    ...answer,
    path: journey.hops,
    points: [...traced.map(pointOf), ...notReached(compiled, journey)],
    ...(nearest === undefined ? {} : { nearest }),
    notEnforced: [],
    gaps: [...gaps, ...journey.gaps],
  }
}

interface Traced {
  readonly check: Check
  readonly trace: CheckTrace
}

function pointOf({ check, trace }: Traced): EnforcementPoint {
  const { point, at, verdict, reason } = check
  return { name: point, at, verdict, reason, policies: trace.policies }
}

/** What would have been asked next, had it come there. */
function notReached({ workloads }: CompiledMesh, { checks, passed }: Journey): readonly EnforcementPoint[] {
  const last = checks.at(-1)
  if (last === undefined || last.verdict === 'allowed' || last.point === 'destination-ztunnel') return []
  const service = passed.service === undefined ? undefined : workloads.service(passed.service)
  const [endpoint] = service === undefined ? [] : workloads.usableEndpoints(service)
  const workload = endpoint && workloads.workload(endpoint.workloadUid)
  if (workload?.protocol !== 'HBONE' || workload.nativeTunnel) return []
  const at = `${workload.namespace}/${workload.name}`
  const reason = last.point === 'source-ztunnel' ? 'the client’s ztunnel did not connect' : `the ${last.point} ended it`
  return [{ name: 'destination-ztunnel', at, verdict: 'not-reached', reason, policies: [] }]
}

/** Of a denial that no rule decided: the rule that lacks least; of equal ones the first. */
function nearestMiss(traced: readonly Traced[]): NearestMiss | undefined {
  const denial = traced.findLast(({ check }) => check.verdict === 'denied')
  if (denial === undefined || denial.check.kind === 'plain' || denial.check.judged.policy !== undefined)
    return undefined
  return denial.trace.lacking.toSorted((a, b) => a.failed.length - b.failed.length)[0]
}
