import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { Answer, PolicyPermit } from '../explanation.types.ts'
import { writtenRule } from '../trace/written-policies.ts'
import type { Check, Journey } from './journey.types.ts'

/** What happens, in few words. */
export function answerOf(compiled: CompiledMesh, { outcome, checks, others }: Journey): Answer {
  const deciding = checks.findLast(({ verdict }) => verdict !== 'allowed') ?? checks.findLast(decides)
  const mixed = others.length === 0 ? {} : { mixed: others }
  if (deciding === undefined) {
    const last = checks.at(-1)
    return last === undefined
      ? { outcome, reason: 'no enforcement point is on the way', ...mixed }
      : { outcome, reason: last.reason, ...mixed }
  }
  const allowedBy =
    outcome === 'allowed' ? { allowedBy: checks.filter(decides).flatMap((check) => permitOf(compiled, check)) } : {}
  return {
    outcome,
    point: deciding.point,
    reason: deciding.reason,
    ...namesIn(compiled, deciding),
    ...allowedBy,
    ...mixed,
  }
}

function permitOf(compiled: CompiledMesh, check: Check): readonly PolicyPermit[] {
  const { policy, rule } = namesIn(compiled, check)
  return policy === undefined ? [] : [{ point: check.point, policy, rule }]
}

/** Whether a policy let it through. */
function decides(check: Check): boolean {
  return check.kind !== 'plain' && check.judged.policy !== undefined
}

function namesIn(compiled: CompiledMesh, check: Check): Pick<Answer, 'policy' | 'rule' | 'unmatched'> {
  if (check.kind === 'plain') return {}
  const { judged } = check
  const { policy, rule } = judged
  const unmatched = judged.allowed ? undefined : judged.unmatched
  return {
    ...(policy === undefined ? {} : { policy }),
    ...(policy === undefined || rule === undefined
      ? {}
      : { rule: check.kind === 'connection' ? (writtenRule(compiled, policy, rule) ?? rule) : rule }),
    ...(unmatched === undefined ? {} : { unmatched }),
  }
}
