import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { Answer, PolicyPermit } from '../explanation.types.ts'
import { writtenAuthentication, writtenRule } from '../trace/written-policies.ts'
import type { Check, ConnectionCheck, Journey } from './journey.types.ts'

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
  const unmatched = judged.allowed || judged.unmatched === undefined ? {} : { unmatched: judged.unmatched }
  const { policy, rule } = check.kind === 'connection' ? writtenNames(compiled, check) : judged
  return { ...(policy === undefined ? {} : { policy }), ...(rule === undefined ? {} : { rule }), ...unmatched }
}

/** A ztunnel's policy and rule as somebody wrote them: it has its own of PeerAuthentications, and not all rules. */
function writtenNames(compiled: CompiledMesh, { judged, workload }: ConnectionCheck): Pick<Answer, 'policy' | 'rule'> {
  const { policy, rule } = judged
  if (policy === undefined || rule === undefined) return { policy }
  const written = writtenAuthentication(compiled, policy, workload)
  if (written !== undefined) return { policy: `${written.namespace}/${written.name}` }
  return { policy, rule: writtenRule(compiled, policy, rule) ?? rule }
}
