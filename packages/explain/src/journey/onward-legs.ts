import type { Pod } from '@ambit/controller/judgement'
import { formatSocketAddress, formatSpiffeId, type SocketAddress } from '@ambit/core'
import { believedHeaders } from '@ambit/route'
import {
  type DestinationVerdict,
  findDestination,
  resolveIngress,
  resolveWorkload,
  type ViaWaypoint,
  type Workload,
} from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { ProxyState } from '../compile/proxy-state.ts'
import { MAX_PROXIES_ON_THE_WAY } from '../limits.ts'
import { whyNotCaptured } from '../names/find-client.ts'
import type { Target } from '../names/target.types.ts'
import type { Question } from '../question.types.ts'
import { arrivalsAt, directArrival, usableEndpoints } from './arrivals.ts'
import { type SentRequest, sentRequest } from './asked-request.ts'
import { checkDestination } from './check-destination.ts'
import { judgeConnection, judgeRequest } from './judge-request.ts'
import type { Arrival, End, Sender } from './leg.types.ts'
import { routeOnward, treated } from './onward.ts'
import { podOf, proxyName, proxySender } from './places.ts'
import type { Trip } from './trip.ts'
import { whyWaypoint } from './why-waypoint.ts'

type Found = Exclude<DestinationVerdict, { kind: 'none' }>

const FIRST = (): number => 0

/** The legs after the client's own: through waypoints and gateways, to the endpoint. */
export class OnwardLegs {
  readonly #compiled: CompiledMesh
  readonly #trip: Trip
  readonly #target: Target
  readonly #question: Question
  #request: SentRequest | undefined

  constructor(compiled: CompiledMesh, trip: Trip, target: Target, question: Question) {
    this.#compiled = compiled
    this.#trip = trip
    this.#target = target
    this.#question = question
    const { request, sni } = question
    this.#request = request && sentRequest(request, target, sni !== undefined)
  }

  /** Through the waypoint that the sender's proxy chose. */
  toWaypoint({ to, authority, workload, service, target }: ViaWaypoint, peer: Sender): End {
    const pod = podOf(this.#compiled, workload)
    const name = pod === undefined ? `${workload.namespace}/${workload.name}` : proxyName(pod)
    this.#trip.hops.push({
      kind: 'waypoint',
      name,
      node: workload.node || undefined,
      identity: formatSpiffeId(workload.identity),
      by: { transport: 'hbone', address: formatSocketAddress(to) },
      because: whyWaypoint(this.#compiled, { service, workload: target }),
    })
    const proxy = this.#compiled.proxies.get(name)
    const sender = proxySender(workload)
    this.#trip.proxies.push(name)
    if (proxy === undefined) {
      this.#trip.gaps.push(`${name} is not a waypoint of this control plane: what it lets through is not known here`)
      this.#trip.checks.push({ kind: 'plain', point: 'waypoint', at: name, verdict: 'allowed', reason: 'not known' })
      return 'arrived'
    }
    if (proxy.destinations.settings === undefined)
      return this.#trip.stopped('waypoint', name, 'the waypoint has not been told its settings: it answers 503')
    const { network } = this.#compiled.mesh
    const found = findDestination(
      this.#compiled.workloads,
      proxy.destinations,
      { kind: 'address', ...authority },
      { network, namespace: proxy.namespace },
    )
    if (found.kind === 'none') return this.#trip.stopped('waypoint', name, `${found.message}: it answers 404`)
    return this.#atWaypoint(proxy, { peer, sender }, found, authority)
  }

  #atWaypoint(
    proxy: ProxyState,
    { peer, sender }: { readonly peer: Sender; readonly sender: Sender },
    found: Found,
    authority: SocketAddress,
  ): End {
    const incoming = {
      peer: peer.identity,
      sourceIp: peer.ip,
      remoteIp: undefined,
      isTunnel: true,
      destination: authority,
      sni: undefined,
    }
    const protocol = found.kind === 'service' ? found.port.protocol : 'unknown'
    const isHttp = protocol === 'http' || protocol === 'http2' || protocol === 'grpc'
    if (this.#request === undefined && isHttp) {
      this.#request = sentRequest({ method: 'GET', path: '/' }, this.#target, false)
      this.#trip.gaps.push('the port speaks HTTP and no request was given: asked as GET /')
    }
    const addressed =
      found.kind === 'service'
        ? { service: found.service, port: found.port.number, trafficPolicy: found.destination.trafficPolicy }
        : undefined
    const request = this.#request
    if (request === undefined || protocol === 'tcp' || protocol === 'tls') {
      if (request !== undefined)
        this.#trip.gaps.push(`port ${authority.port} is declared ${protocol}: the waypoint sees bytes, no requests`)
      const judged = judgeConnection(proxy, found.destination, incoming)
      if (!this.#trip.judged('waypoint', proxy, judged, found.destination.authorizationPolicies)) return 'denied'
      if (addressed === undefined) return this.#toWorkload(sender, found, authority)
      const rules = { trafficPolicy: addressed.trafficPolicy, subset: '' }
      return this.#onward(
        proxy,
        'waypoint',
        sender,
        treated(proxy, { ...addressed, isAddressed: true }, rules, undefined),
        authority,
      )
    }
    const judged = judgeRequest(proxy, found.destination, incoming, request)
    const { refusal } = judged
    if (refusal !== undefined) return this.#trip.refused('waypoint', proxy.name, refusal)
    if (!this.#trip.judged('waypoint', proxy, judged, found.destination.authorizationPolicies)) return 'denied'
    if (addressed === undefined) return this.#toWorkload(sender, found, authority)
    const onward = routeOnward(proxy, this.#compiled.workloads, {
      routes: found.kind === 'service' ? found.port.routes : undefined,
      judged,
      request,
      sourceNamespace: peer.identity?.namespace,
      scheme: judged.header('x-forwarded-proto') === 'https' ? 'https' : 'http',
      addressed,
    })
    return this.#onward(proxy, 'waypoint', sender, onward, authority)
  }

  #toWorkload(sender: Sender, found: Found, authority: SocketAddress): End {
    if (found.kind !== 'workload' || sender.workload === undefined) return 'unreachable'
    const { workload, port } = found
    const resolved = resolveWorkload({ workload, port, asked: authority.ip, source: sender.workload })
    if (resolved.kind !== 'direct')
      return this.#trip.stopped('waypoint', this.#trip.proxies.at(-1) ?? '', `${workload.uid} can not be reached`)
    return this.arriveAtOne(sender, [directArrival(resolved)])
  }

  /** From a proxy to an endpoint of the service that it chose. */
  #onward(
    proxy: ProxyState,
    point: 'waypoint' | 'gateway',
    sender: Sender,
    onward: ReturnType<typeof routeOnward>,
    asked: SocketAddress,
  ): End {
    if (onward.kind === 'answered') return this.#trip.stopped(point, proxy.name, onward.reason)
    const { service, port, members, route, alsoTo } = onward
    if (alsoTo.length > 0)
      this.#trip.gaps.push(`route ${route} sends a share to ${alsoTo.join(' and ')} as well: not looked at`)
    const source = sender.workload
    if (source === undefined) return 'unreachable'
    this.#trip.addresses(service)
    const via = route === undefined ? '' : ` by route ${route}`
    if (service.loadBalancing.mode === 'Passthrough') {
      if (!onward.isAddressed)
        return this.#trip.stopped(
          point,
          proxy.name,
          `no healthy upstream: ${service.hostname}: its clients say the address, and here none did`,
        )
      return this.#trip.outside(asked, `${service.hostname} has no endpoints of its own: to where the client was going`)
    }
    const usable = usableEndpoints(
      this.#compiled.workloads,
      source,
      service,
      port,
      ({ workload }) => workload.network === source.network && (members === undefined || members.has(workload.uid)),
    )
    const named = usable.find(({ workload }) => workload.ips.length === 0 && workload.hostname !== '')
    if (named !== undefined)
      return this.#trip.outside(
        `${named.workload.hostname}:${named.port}`,
        `an endpoint of ${service.hostname}${via}, outside of the mesh: plain text`,
      )
    const arrivals = arrivalsAt(usable, { source, service, asked: asked.ip }, via)
    if (arrivals.length === 0)
      return this.#trip.stopped(
        point,
        proxy.name,
        `no healthy upstream: none of the endpoints of ${service.namespace}/${service.hostname} serves port ${port}`,
      )
    return this.arriveAtOne(sender, arrivals)
  }

  /** The first of those that might be chosen; the rest is looked at in the end. */
  arriveAtOne(sender: Sender, arrivals: readonly Arrival[]): End {
    const [first, ...rest] = arrivals
    if (first === undefined) return 'unreachable'
    this.#trip.choices = { sender, others: rest }
    return this.#arrive(sender, first)
  }

  #arrive(sender: Sender, arrival: Arrival): End {
    const { workload, destination, transport, because } = arrival
    const pod = podOf(this.#compiled, workload)
    const name = `${workload.namespace}/${workload.name}`
    const node = workload.node || undefined
    const check = checkDestination(this.#compiled, sender, arrival)
    const by = { transport, address: formatSocketAddress(destination) }
    if (check !== undefined) {
      this.#trip.checks.push(check)
      this.#trip.hops.push({
        kind: 'ztunnel',
        name: node ?? 'node',
        node,
        by,
        because:
          transport === 'hbone'
            ? because
            : `${because}; the ztunnel of the pod’s node takes what arrives all the same${check.verdict === 'allowed' ? ': no PeerAuthentication asks for mutual TLS' : ''}`,
      })
    }
    const isProxy = pod !== undefined && this.#isGateway(pod)
    const handedOver =
      check?.verdict === 'allowed' ? 'handed over in the pod' : 'not reached: the ztunnel before it ends it'
    const captured = check === undefined ? this.#notGuarded(workload, pod, because) : handedOver
    this.#trip.hops.push({
      kind: isProxy ? 'gateway' : 'endpoint',
      name: isProxy ? proxyName(pod) : name,
      node,
      identity: transport === 'hbone' ? formatSpiffeId(workload.identity) : undefined,
      by: check === undefined ? by : { transport: 'local', address: formatSocketAddress(destination) },
      because: captured,
    })
    if (check !== undefined && check.verdict !== 'allowed') {
      this.#trip.endpoint = { workload, isGuarded: true }
      return check.verdict
    }
    if (isProxy) return this.#atGateway(sender, pod, workload, destination)
    this.#trip.endpoint = { workload, isGuarded: check !== undefined }
    return 'arrived'
  }

  #notGuarded(workload: Workload, pod: Pod | undefined, because: string): string {
    if (pod === undefined) return `${because}; it is no pod of the mesh`
    if (workload.protocol === 'HBONE') return `${because}; it takes what arrives itself`
    return `${because}; it is ${whyNotCaptured(this.#compiled, pod)}`
  }

  #isGateway(pod: Pod): boolean {
    return (
      pod.isRouter && this.#compiled.proxies.has(proxyName(pod)) && this.#trip.proxies.length < MAX_PROXIES_ON_THE_WAY
    )
  }

  /** An ingress gateway: listener, policies, route. */
  #atGateway(client: Sender, pod: Pod, workload: Workload, destination: SocketAddress): End {
    const name = proxyName(pod)
    const proxy = this.#compiled.proxies.get(name)
    const settings = proxy?.destinations.settings
    if (proxy === undefined || settings === undefined)
      return this.#trip.stopped('gateway', name, 'the gateway has not been told its settings')
    this.#trip.proxies.push(name)
    const isSecured = proxy.listeners.isSecured(destination.port)
    if (isSecured === undefined)
      return this.#trip.stopped('gateway', name, `no listener of the gateway serves port ${destination.port}`)
    if (this.#request === undefined) {
      this.#request = sentRequest({ method: 'GET', path: '/' }, this.#target, isSecured)
      this.#trip.gaps.push('a gateway serves requests and none was given: asked as GET /')
    }
    const asked = this.#request
    const edge = believedHeaders({
      headers: asked.headers,
      client: client.ip,
      isTls: isSecured,
      trustedHops: settings.trustedHops,
      requestId: '',
    })
    const request = { ...asked, headers: edge.headers }
    const sni = this.#question.sni ?? (isSecured ? hostOf(request.authority) : undefined)
    const listener = proxy.listeners.find(destination.port, isSecured ? (sni ?? '') : request.authority)
    const routes = listener === undefined ? [] : proxy.listeners.routes(listener, request.authority)
    const incoming = {
      peer: undefined,
      sourceIp: client.ip,
      remoteIp: edge.remoteIp,
      isTunnel: false,
      destination,
      sni,
    }
    const judged = judgeRequest(proxy, settings, incoming, request)
    const { refusal } = judged
    if (refusal !== undefined) return this.#trip.refused('gateway', name, refusal)
    if (!this.#trip.judged('gateway', proxy, judged, settings.authorizationPolicies)) return 'denied'
    if (listener === undefined)
      return this.#trip.stopped('gateway', name, `no listener takes the host ${request.authority}: it is answered 404`)
    if (listener.httpsRedirect && judged.header('x-forwarded-proto') !== 'https')
      return this.#trip.stopped('gateway', name, `listener ${listener.name} redirects it to https`)
    const onward = routeOnward(proxy, this.#compiled.workloads, {
      routes,
      judged,
      request,
      sourceNamespace: undefined,
      scheme: judged.header('x-forwarded-proto') === 'https' ? 'https' : 'http',
      addressed: undefined,
    })
    const sender = proxySender(workload)
    if (onward.kind === 'service') {
      const via = resolveIngress(this.#compiled.workloads, onward.service, {
        source: workload,
        port: onward.port,
        random: FIRST,
      })
      if (via?.kind === 'waypoint') {
        // A waypoint judges the client that the gateway names, too.
        this.#request = request
        return this.toWaypoint(via, sender)
      }
      if (via?.kind === 'refused') return this.#trip.stopped('gateway', name, via.message)
    }
    return this.#onward(proxy, 'gateway', sender, onward, destination)
  }
}

function hostOf(authority: string): string {
  return authority.replace(/:\d*$/, '')
}
