import { LABELS } from '@ambit/api'
import type { MeshModel, TargetRef } from '@ambit/explain'
import type { RecordedFlow } from '../flows/flows.types.ts'

export interface FlowTarget {
  readonly to: TargetRef
  /** As destinations are called. */
  readonly name: string
  readonly isGateway: boolean
}

type Model = Pick<MeshModel, 'services' | 'serviceEntries'>

/** Finds what recorded flows went to in a mesh. */
export class FlowTargets {
  readonly #byHost = new Map<string, FlowTarget['to'] & { readonly kind: 'service' }>()
  readonly #byGateway = new Map<string, { readonly namespace: string; readonly name: string; readonly port: number }>()

  constructor(model: Model) {
    for (const { namespace, name, hostname, labels, ports } of model.services()) {
      this.#byHost.set(`${namespace}/${hostname}`, { kind: 'service', namespace, name })
      const gateway = labels[LABELS.gatewayName] ?? name
      const port = ports.find((one) => one.name.startsWith('http'))?.port ?? ports[0]?.port
      const key = `${namespace}/${gateway}`
      if (port !== undefined && !this.#byGateway.has(key)) this.#byGateway.set(key, { namespace, name, port })
    }
    for (const { namespace, name, hosts } of model.serviceEntries())
      for (const host of hosts) this.#byHost.set(`${namespace}/${host}`, { kind: 'service', namespace, name })
  }

  /** Undefined, with what was looked for: it is not known here. */
  find(flow: RecordedFlow): FlowTarget | { readonly unknown: string } {
    const { judge, gateway, service } = flow
    if (judge === 'gateway') {
      const found = this.#byGateway.get(gateway ?? '')
      if (found === undefined) return { unknown: `gateway ${gateway}` }
      const { namespace, name, port } = found
      return {
        to: { kind: 'service', namespace, name, port },
        name: `service ${namespace}/${name}:${port}`,
        isGateway: true,
      }
    }
    if (service !== undefined && service.port !== 0) {
      const found = this.#byHost.get(`${service.namespace}/${service.hostname}`)
      if (found === undefined) return { unknown: `service ${service.namespace}/${service.hostname}` }
      const { namespace, name } = found
      const label = `service ${namespace}/${name}:${service.port}`
      return { to: { ...found, port: service.port }, name: label, isGateway: false }
    }
    return endpointOf(flow) ?? { unknown: 'a destination without a name' }
  }
}

/** The workload that answered; undefined: it was not told. */
export function endpointOf({ server }: RecordedFlow): FlowTarget | undefined {
  if (server === undefined) return undefined
  const { namespace, workload, port } = server
  return {
    to: { kind: 'pod', namespace, name: workload, port },
    name: `workload ${namespace}/${workload}:${port}`,
    isGateway: false,
  }
}
