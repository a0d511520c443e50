import type { Flow, FlowEnd } from '@ambit/flow'
import type { Flags } from '../grammar/command.types.ts'

export interface FlowSelection {
  readonly workload: string | undefined
  readonly service: string | undefined
  /** Empty: any. */
  readonly states: ReadonlySet<string>
}

/** As the flags of a command say. */
export function readSelection(flags: Flags): FlowSelection {
  return { workload: flags.text('workload'), service: flags.text('service'), states: new Set(flags.list('state')) }
}

/** Whether a flow is one of those a person asked for. */
export function isSelected(flow: Flow, { workload, service, states }: FlowSelection): boolean {
  if (states.size > 0 && !states.has(flow.state)) return false
  if (workload !== undefined && ![flow.client, flow.server].some((end) => isWorkload(end, workload))) return false
  return service === undefined || isService(flow.service, service)
}

function isWorkload({ namespace = '', workload, pod }: FlowEnd, wanted: string): boolean {
  return [workload, pod].some((name) => name !== undefined && (wanted === name || wanted === `${namespace}/${name}`))
}

function isService(service: Flow['service'], wanted: string): boolean {
  if (service === undefined) return false
  const { namespace, hostname } = service
  const [name] = hostname.split('.')
  return [name, `${namespace}/${name}`, hostname, `${name}.${namespace}`].includes(wanted)
}
