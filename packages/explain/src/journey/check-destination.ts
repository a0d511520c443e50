import { ANNOTATIONS } from '@ambit/api'
import { formatSocketAddress, isProxyPort } from '@ambit/core'
import { authorizeConnection, type ConnectionFacts } from '@ambit/policy'
import { checkInboundDestination } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { OtherEndpoint, Outcome } from '../explanation.types.ts'
import type { Check } from './journey.types.ts'
import type { Arrival, End, Sender } from './leg.types.ts'
import { podOf } from './places.ts'

/** What the ztunnel before the workload says; undefined: none stands there. */
export function checkDestination(
  compiled: CompiledMesh,
  sender: Sender,
  { workload, destination, transport }: Arrival,
): Check | undefined {
  const pod = podOf(compiled, workload)
  if (workload.protocol !== 'HBONE' || workload.nativeTunnel || workload.networkMode === 'HostNetwork') return undefined
  if (transport === 'plain' && pod?.annotations[ANNOTATIONS.bypassInboundCapture] === 'true') return undefined
  const { workloads, mesh, policies } = compiled
  const at = `${workload.namespace}/${workload.name}`
  const plain = (reason: string): Check => ({
    kind: 'plain',
    point: 'destination-ztunnel',
    at,
    verdict: 'unreachable',
    reason,
  })
  let reached = destination
  if (transport === 'hbone') {
    const verdict = checkInboundDestination(workloads, {
      authority: formatSocketAddress(destination),
      localIp: destination.ip,
      workload,
      network: mesh.network,
    })
    if (!verdict.accepted) return plain(verdict.reason)
    reached = verdict.destination
  } else if (isProxyPort(destination.port)) return plain('attempted recursive call to ourselves')
  const facts: ConnectionFacts = {
    source: { ip: sender.ip, port: 0 },
    sourceIdentity: transport === 'hbone' ? sender.identity : undefined,
    destination: reached,
    workload,
  }
  const judged = authorizeConnection(facts, policies)
  return {
    kind: 'connection',
    point: 'destination-ztunnel',
    at,
    verdict: judged.allowed ? 'allowed' : 'denied',
    reason: judged.reason,
    workload,
    facts,
    judged,
  }
}

export function outcomeOf(end: End): Outcome {
  return end === 'arrived' ? 'allowed' : end
}

/** Endpoints that might have been chosen as well, where they answer otherwise. */
export function otherEndpoints(
  compiled: CompiledMesh,
  sender: Sender,
  choices: readonly Arrival[],
  outcome: Outcome,
): readonly OtherEndpoint[] {
  const seen = new Map<string, Omit<OtherEndpoint, 'endpoint'> | undefined>()
  return choices.flatMap((arrival) => {
    const { namespace, name, protocol, authorizationPolicies } = arrival.workload
    // Alike in all that is asked.
    const key = JSON.stringify([
      namespace,
      protocol,
      authorizationPolicies,
      arrival.transport,
      arrival.destination.port,
    ])
    if (!seen.has(key)) seen.set(key, otherOutcome(compiled, sender, arrival, outcome))
    const other = seen.get(key)
    return other === undefined ? [] : [{ endpoint: `${namespace}/${name}`, ...other }]
  })
}

function otherOutcome(
  compiled: CompiledMesh,
  sender: Sender,
  arrival: Arrival,
  outcome: Outcome,
): Omit<OtherEndpoint, 'endpoint'> | undefined {
  const check = checkDestination(compiled, sender, arrival)
  const own = outcomeOf(check === undefined || check.verdict === 'allowed' ? 'arrived' : check.verdict)
  if (own === outcome) return undefined
  const policy = check?.kind === 'connection' ? check.judged.policy : undefined
  return { outcome: own, reason: check?.reason ?? 'no ztunnel stands before it', policy }
}
