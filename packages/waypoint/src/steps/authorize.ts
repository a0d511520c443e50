import { claimedIpOf, type HttpFacts, type RequestDenial, type RequestFacts, type RequestVerdict } from '@ambit/policy'
import { denied } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'
import type { Step } from './step.types.ts'

export interface AuthorizeComponents {
  readonly judge: (policies: readonly string[], facts: RequestFacts) => RequestVerdict
  readonly onDenied: (state: RequestState, denial: RequestDenial) => void
  readonly onVerdict: (state: RequestState, verdict: RequestVerdict) => void
}

/** Judges, and refuses at once when a CUSTOM policy asks for a check that this proxy can not make: before any token is looked at. */
export function customAuthorization({ judge, onDenied, onVerdict }: AuthorizeComponents): Step {
  return {
    name: 'custom-authorization',
    run: (state) => {
      const policies = state.target?.destination.authorizationPolicies ?? []
      const facts = factsOf(state)
      const verdict = judge(policies, facts)
      state.facts = facts
      state.verdict = verdict
      onVerdict(state, verdict)
      if (verdict.allowed || verdict.reason !== 'unavailable') return undefined
      onDenied(state, verdict)
      return denied(verdict.details)
    },
  }
}

/** DENY before ALLOW; AUDIT and dry-run only leave traces. */
export function authorize({ onDenied }: AuthorizeComponents): Step {
  return {
    name: 'authorize',
    run: (state) => {
      const { verdict } = state
      if (verdict === undefined) return denied('rbac_access_denied_matched_policy[none]')
      if (verdict.allowed) return undefined
      onDenied(state, verdict)
      return denied(verdict.details)
    },
  }
}

function factsOf(state: RequestState): RequestFacts {
  const { downstream, exchange } = state
  const header = state.header ?? (() => undefined)
  const http: HttpFacts = {
    method: exchange.head.method,
    path: state.path ?? '',
    authority: exchange.head.authority,
    header,
  }
  return {
    sourceIdentity: downstream.peer,
    sourceIp: downstream.remote.ip,
    remoteIp: state.remoteIp ?? downstream.remote.ip,
    claimedIp: downstream.kind === 'gateway' ? undefined : claimedIpOf(header('x-forwarded-for')),
    destinationIp: downstream.destinationIp,
    destinationPort: downstream.destinationPort,
    http,
    sni: downstream.kind === 'gateway' ? downstream.tls?.serverName : undefined,
  }
}
