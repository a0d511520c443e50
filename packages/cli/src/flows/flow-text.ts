import type { Flow, FlowEnd } from '@ambit/flow'
import { bytesText } from '@ambit/graph'
import { principal } from './edge-table.ts'

/** A flow in one line for a person: when, what became of it, who, to whom, and why not. */
export function flowText(flow: Flow): string {
  const { at, state, client, transport, request, bytesFromClient, bytesToClient, waypoint, id } = flow
  const parts = [
    at,
    state,
    `${endName(client)} -> ${serverName(flow)}`,
    request === undefined ? '' : `${request.method} ${request.host}${request.path} ${request.status}`,
    waypoint === undefined ? '' : `via ${waypoint}`,
    `${bytesText(bytesFromClient)}/${bytesText(bytesToClient)}`,
    transport.kind === 'plain' ? 'plain text' : [transport.version, transport.keyExchange].filter(Boolean).join(' '),
    reasonOf(flow),
    `id=${id}`,
  ]
  return parts.filter((part) => part !== '').join('  ')
}

function reasonOf({ state, verdict, failure }: Flow): string {
  if (state === 'denied' && verdict !== undefined) {
    const { reason, policy, rule, unmatched } = verdict
    const by = policy ?? unmatched?.join(',')
    return `${reason}${by === undefined ? '' : ` [${by}${rule === undefined ? '' : ` rule ${rule}`}]`}`
  }
  return state === 'failed' && failure !== undefined ? `${failure.code}: ${failure.message}` : ''
}

function serverName({ service, server }: Flow): string {
  if (service === undefined) return endName(server)
  const { namespace, hostname, port } = service
  return `svc ${namespace}/${hostname.split('.')[0] ?? ''}${port === 0 ? '' : `:${port}`}`
}

function endName({ namespace, workload, identity, address }: FlowEnd): string {
  if (workload !== undefined && workload !== '') return `${namespace ?? ''}/${workload}`
  return identity === undefined ? address : principal(identity)
}
