import { formatSocketAddress, type SocketAddress, type SpiffeId } from '@ambit/core'
import { endpointCandidates, type NeedsHostname, resolveOutbound, servicePortChoice } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { Client } from '../names/client.types.ts'
import { uidOf } from '../names/find-client.ts'
import { standIn } from '../names/stand-in.ts'
import type { Target } from '../names/target.types.ts'
import type { Question } from '../question.types.ts'
import { plainArrival, plainArrivals, ztunnelArrivals } from './arrivals.ts'
import { otherEndpoints, outcomeOf } from './check-destination.ts'
import type { Journey } from './journey.types.ts'
import type { End, Sender } from './leg.types.ts'
import { OnwardLegs } from './onward-legs.ts'
import { podOfHost } from './places.ts'
import { Trip } from './trip.ts'

const FIRST = (): number => 0
/** Somebody outside, for choices that only compare networks. */
const NOBODY: SpiffeId = { trustDomain: '', namespace: '', serviceAccount: '' }

/** Follows a connection or request from the client to where it ends, asking what each proxy on the way would ask. */
export function travel(compiled: CompiledMesh, client: Client, target: Target, question: Question): Journey {
  return new Traveller(compiled, client, target, question).run()
}

class Traveller {
  readonly #compiled: CompiledMesh
  readonly #client: Client
  readonly #target: Target
  readonly #trip: Trip
  readonly #legs: OnwardLegs

  constructor(compiled: CompiledMesh, client: Client, target: Target, question: Question) {
    this.#compiled = compiled
    this.#client = client
    this.#target = target
    this.#trip = new Trip(client, target)
    this.#legs = new OnwardLegs(compiled, this.#trip, target, question)
  }

  get #clientSender(): Sender {
    const { workload, identity, ip, namespace } = this.#client
    return { workload, identity, ip, namespace }
  }

  run(): Journey {
    const trip = this.#trip
    const end = this.#client.isCaptured ? this.#throughZtunnel() : this.#plainly()
    const outcome = outcomeOf(end)
    const { choices, hops, checks, gaps, passed } = trip
    const others =
      end === 'unreachable' || choices === undefined
        ? []
        : otherEndpoints(this.#compiled, choices.sender, choices.others, outcome)
    return { outcome, hops, checks, others, gaps: [...new Set(gaps)], passed }
  }

  /** The client's ztunnel finds out what the address means. */
  #throughZtunnel(): End {
    const { workloads, mesh } = this.#compiled
    const { pod, workload: source, ip } = this.#client
    const { address, name } = this.#target
    this.#trip.hops.push({
      kind: 'ztunnel',
      name: pod?.node || 'node',
      node: pod?.node || undefined,
      by: { transport: 'local' },
      because: 'the ztunnel of the client’s node takes its connections',
    })
    if (address === undefined || source === undefined)
      return this.#trip.outside(name, 'the mesh knows no address of it')
    const resolution = resolveOutbound(workloads, {
      source,
      sourceIp: ip,
      target: address,
      network: mesh.network,
      random: FIRST,
    })
    switch (resolution.kind) {
      case 'refused':
        this.#trip.addresses(resolution.service)
        return this.#trip.stopped('source-ztunnel', this.#client.name, resolution.message)
      case 'passthrough':
        this.#trip.addresses(resolution.service)
        return this.#passthrough(resolution.to)
      case 'waypoint':
        this.#trip.addresses(resolution.service)
        return this.#legs.toWaypoint(resolution, this.#clientSender)
      case 'resolve-hostname':
        this.#trip.addresses(resolution.pending.service)
        return this.#byName(resolution)
      case 'direct':
        this.#trip.addresses(resolution.service)
        return this.#legs.arriveAtOne(this.#clientSender, ztunnelArrivals(workloads, source, resolution, address))
    }
  }

  /** Nobody takes the client's connections: the service proxy of its node chooses, or nobody. */
  #plainly(): End {
    const { workloads, mesh } = this.#compiled
    const { address, name } = this.#target
    const { namespace } = this.#client
    if (address === undefined) return this.#trip.outside(name, 'it is not in the mesh')
    const sender = { ...this.#clientSender, identity: undefined }
    const service = workloads.serviceByVip(mesh.network, address.ip, namespace)
    if (service !== undefined) {
      this.#trip.addresses(service)
      const source = this.#client.workload ?? standIn(this.#compiled, NOBODY, this.#client.ip)
      const all = endpointCandidates(workloads, {
        source,
        service,
        servicePort: address.port,
        portOf: servicePortChoice(service, address.port),
      })
      const arrivals = plainArrivals(all)
      if (arrivals.length === 0 && service.canonical)
        return this.#trip.stopped(
          'source-ztunnel',
          this.#client.name,
          `no endpoint of ${service.hostname} is ready at port ${address.port}`,
        )
      if (arrivals.length > 0) return this.#legs.arriveAtOne(sender, arrivals)
    }
    const pod = podOfHost(this.#compiled, address.ip)
    const workload =
      workloads.workloadByIp(mesh.network, address.ip) ?? (pod && workloads.workload(uidOf(this.#compiled, pod)))
    if (workload === undefined) return this.#trip.outside(address, 'nothing in the mesh has the address')
    return this.#legs.arriveAtOne(sender, [plainArrival(workload, address)])
  }

  #passthrough(to: SocketAddress): End {
    const pod = podOfHost(this.#compiled, to.ip)
    if (pod === undefined)
      return this.#trip.outside(to, 'nothing in the mesh has the address: plain text to where the client was going')
    const workload = this.#compiled.workloads.workload(uidOf(this.#compiled, pod))
    if (workload !== undefined) this.#trip.endpoint = { workload, isGuarded: false }
    this.#trip.hops.push({
      kind: 'endpoint',
      name: `${pod.namespace}/${pod.name}`,
      node: pod.node || undefined,
      by: { transport: 'plain', address: formatSocketAddress(to) },
      because: 'plain text: it shares the network of its node, whose address is nobody’s in the mesh',
    })
    return 'arrived'
  }

  /** An endpoint that only has a name: what that stands for is asked when the connection is made. */
  #byName({ hostname, pending, workload }: NeedsHostname): End {
    if (pending.kind === 'waypoint' || workload.protocol === 'HBONE') {
      this.#trip.gaps.push(`${hostname} is resolved when the connection is made: what answers there is not known here`)
    }
    return this.#trip.outside(
      `${hostname}:${pending.port}`,
      `an endpoint of ${this.#trip.service ?? workload.name}, outside of the mesh: plain text`,
    )
  }
}
