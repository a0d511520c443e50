import { ANNOTATIONS } from '@ambit/api'
import { type Pod, routerNameOf } from '@ambit/controller/judgement'
import {
  formatSocketAddress,
  formatSpiffeId,
  type Ip,
  isProxyPort,
  type SocketAddress,
  type SpiffeId,
} from '@ambit/core'
import { authorizeConnection, type ConnectionFacts, type RequestFacts, type RequestVerdict } from '@ambit/policy'
import {
  checkInboundDestination,
  type DestinationVerdict,
  type Direct,
  endpointCandidates,
  findDestination,
  type NeedsHostname,
  preferred,
  resolveIngress,
  resolveOutbound,
  resolveWorkload,
  type SelectedEndpoint,
  type Service,
  servicePortChoice,
  type ViaWaypoint,
  type Workload,
} from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { ProxyState } from '../compile/proxy-state.ts'
import type { Hop, OtherEndpoint, Outcome } from '../explanation.types.ts'
import type { Client } from '../names/client.types.ts'
import { whyNotCaptured } from '../names/find-client.ts'
import { standIn } from '../names/stand-in.ts'
import type { Target } from '../names/target.types.ts'
import type { Question } from '../question.types.ts'
import { type SentRequest, sentRequest } from './asked-request.ts'
import type { Check, Journey, Passed } from './journey.types.ts'
import { judgeConnection, judgeRequest } from './judge-request.ts'
import { routeOnward, treated } from './onward.ts'
import { whyWaypoint } from './why-waypoint.ts'

/** Who opens the connection of the next leg. */
interface Sender {
  readonly workload: Workload | undefined
  readonly identity: SpiffeId | undefined
  readonly ip: Ip
  readonly namespace: string
}

/** Where a leg ends, and how it is reached. */
interface Arrival {
  readonly workload: Workload
  readonly destination: SocketAddress
  readonly transport: 'hbone' | 'plain'
  readonly because: string
}

type End = 'arrived' | 'denied' | 'unreachable'

const FIRST = (): number => 0
/** A name instead of an address. */
const UNSPECIFIED = '0.0.0.0' as Ip
/** Proxies that one request may go through; more would be a loop. */
const MAX_PROXIES = 4

/** Follows a connection or request from the client to where it ends, asking what each proxy on the way would ask. */
export function travel(compiled: CompiledMesh, client: Client, target: Target, question: Question): Journey {
  return new Traveller(compiled, client, target, question).run()
}

class Traveller {
  readonly #compiled: CompiledMesh
  readonly #client: Client
  readonly #target: Target
  readonly #question: Question
  readonly #hops: Hop[] = []
  readonly #checks: Check[] = []
  readonly #gaps: string[]
  readonly #proxies: string[] = []
  #request: SentRequest | undefined
  #service: string | undefined
  #endpoint: Workload | undefined
  #isEndpointGuarded = false
  /** All that may be chosen where the last endpoint was. */
  #choices: readonly Arrival[] = []
  #lastSender: Sender

  constructor(compiled: CompiledMesh, client: Client, target: Target, question: Question) {
    this.#compiled = compiled
    this.#client = client
    this.#target = target
    this.#question = question
    this.#gaps = [...client.gaps, ...target.gaps]
    const { request, sni } = question
    this.#request = request && sentRequest(request, target, sni !== undefined)
    this.#lastSender = this.#clientSender
  }

  get #clientSender(): Sender {
    const { workload, identity, ip, namespace } = this.#client
    return { workload, identity, ip, namespace }
  }

  run(): Journey {
    const { pod, name, identity, because, isCaptured } = this.#client
    this.#hops.push({
      kind: 'client',
      name,
      node: pod?.node || undefined,
      identity: identity && formatSpiffeId(identity),
      because,
    })
    const end = isCaptured ? this.#throughZtunnel() : this.#plainly()
    const outcome = outcomeOf(end)
    return {
      outcome,
      hops: this.#hops,
      checks: this.#checks,
      others: end === 'unreachable' ? [] : this.#others(outcome),
      gaps: [...new Set(this.#gaps)],
      passed: this.#passed(),
    }
  }

  #passed(): Passed {
    return {
      service: this.#service,
      proxies: this.#proxies,
      endpoint: this.#endpoint,
      isEndpointGuarded: this.#isEndpointGuarded,
    }
  }

  /** The client's ztunnel finds out what the address means. */
  #throughZtunnel(): End {
    const { workloads, mesh } = this.#compiled
    const { pod, workload: source, ip } = this.#client
    const { address, name } = this.#target
    this.#hops.push({
      kind: 'ztunnel',
      name: pod?.node || 'node',
      node: pod?.node || undefined,
      by: { transport: 'local' },
      because: 'the ztunnel of the client’s node takes its connections',
    })
    if (address === undefined || source === undefined) return this.#outside(name, 'the mesh knows no address of it')
    const resolution = resolveOutbound(workloads, {
      source,
      sourceIp: ip,
      target: address,
      network: mesh.network,
      random: FIRST,
    })
    switch (resolution.kind) {
      case 'refused':
        this.#noteService(resolution.service)
        return this.#stopped('source-ztunnel', this.#client.name, resolution.message)
      case 'passthrough':
        this.#noteService(resolution.service)
        return this.#passthrough(resolution.to)
      case 'waypoint':
        this.#noteService(resolution.service)
        return this.#toWaypoint(resolution, this.#clientSender)
      case 'resolve-hostname':
        this.#noteService(resolution.pending.service)
        return this.#byName(resolution)
      case 'direct':
        this.#noteService(resolution.service)
        return this.#arriveAtOne(this.#clientSender, this.#arrivalsOf(source, resolution, address))
    }
  }

  /** All endpoints that the ztunnel might choose, the one it chose first. */
  #arrivalsOf(source: Workload, chosen: Direct, asked: SocketAddress): readonly Arrival[] {
    const { workloads } = this.#compiled
    const { service } = chosen
    const all =
      service === undefined
        ? []
        : preferred(
            endpointCandidates(workloads, {
              source,
              service,
              servicePort: asked.port,
              portOf: servicePortChoice(service, asked.port),
            }),
            source,
            service.loadBalancing,
          )
    return [directArrival(chosen), ...this.#otherArrivals(all, chosen.workload.uid, source, service, asked.ip)]
  }

  #otherArrivals(
    all: readonly SelectedEndpoint[],
    chosen: string,
    source: Workload,
    service: Service | undefined,
    asked: Ip,
  ): readonly Arrival[] {
    return all.flatMap((one) => {
      if (one.workload.uid === chosen) return []
      const resolved = resolveWorkload({ ...one, asked, source, service })
      return resolved.kind === 'direct' ? [directArrival(resolved)] : []
    })
  }

  /** Nobody takes the client's connections: the service proxy of its node chooses, or nobody. */
  #plainly(): End {
    const { workloads, mesh, judgement } = this.#compiled
    const { address, name } = this.#target
    const { namespace } = this.#client
    if (address === undefined) return this.#outside(name, 'it is not in the mesh')
    const sender = { ...this.#clientSender, identity: undefined }
    const service = workloads.serviceByVip(mesh.network, address.ip, namespace)
    if (service !== undefined) {
      this.#noteService(service)
      const source = this.#client.workload ?? standIn(this.#compiled, NOBODY, this.#client.ip)
      const all = endpointCandidates(workloads, {
        source,
        service,
        servicePort: address.port,
        portOf: servicePortChoice(service, address.port),
      })
      const because = 'plain text: nobody takes the client’s connections'
      const arrivals = all.flatMap(({ workload, port }): readonly Arrival[] => {
        const [ip] = workload.ips
        return ip === undefined ? [] : [{ workload, destination: { ip, port }, transport: 'plain', because }]
      })
      if (arrivals.length === 0 && service.canonical)
        return this.#stopped(
          'source-ztunnel',
          this.#client.name,
          `no endpoint of ${service.hostname} is ready at port ${address.port}`,
        )
      if (arrivals.length > 0) return this.#arriveAtOne(sender, arrivals)
    }
    const workload =
      workloads.workloadByIp(mesh.network, address.ip) ??
      hostNetworked(judgement.state.pods, this.#compiled, address.ip)
    if (workload === undefined)
      return this.#outside(formatSocketAddress(address), 'nothing in the mesh has the address')
    const because = 'plain text: nobody takes the client’s connections'
    return this.#arriveAtOne(sender, [{ workload, destination: address, transport: 'plain', because }])
  }

  #noteService(service: Service | undefined): void {
    if (service !== undefined) this.#service ??= `${service.namespace}/${service.hostname}`
  }

  #passthrough(to: SocketAddress): End {
    const { judgement } = this.#compiled
    const pod = [...judgement.state.pods].find((one) => one.running && one.hostNetwork && one.ips.includes(to.ip))
    if (pod === undefined)
      return this.#outside(
        formatSocketAddress(to),
        'nothing in the mesh has the address: plain text to where the client was going',
      )
    this.#hops.push({
      kind: 'endpoint',
      name: `${pod.namespace}/${pod.name}`,
      node: pod.node || undefined,
      by: { transport: 'plain', address: formatSocketAddress(to) },
      because: 'plain text: it shares the network of its node, whose address is nobody’s in the mesh',
    })
    return 'arrived'
  }

  #outside(name: string, because: string): End {
    this.#hops.push({ kind: 'outside', name, by: { transport: 'plain' }, because })
    return 'arrived'
  }

  /** An endpoint that only has a name: what that stands for is asked when the connection is made. */
  #byName({ hostname, pending, workload }: NeedsHostname): End {
    if (pending.kind === 'waypoint' || workload.protocol === 'HBONE') {
      this.#gaps.push(`${hostname} is resolved when the connection is made: what answers there is not known here`)
    }
    return this.#outside(
      `${hostname}:${pending.port}`,
      `an endpoint of ${this.#service ?? workload.name}, outside of the mesh: plain text`,
    )
  }

  #stopped(point: Check['point'], at: string, reason: string): End {
    this.#checks.push({ kind: 'plain', point, at, verdict: 'unreachable', reason })
    return 'unreachable'
  }

  #toWaypoint({ to, authority, workload, service, target }: ViaWaypoint, peer: Sender): End {
    const pod = this.#podOf(workload)
    const name = pod === undefined ? `${workload.namespace}/${workload.name}` : proxyName(pod)
    this.#hops.push({
      kind: 'waypoint',
      name,
      node: workload.node || undefined,
      identity: formatSpiffeId(workload.identity),
      by: { transport: 'hbone', address: formatSocketAddress(to) },
      because: whyWaypoint(this.#compiled, { service, workload: target }),
    })
    const proxy = this.#compiled.proxies.get(name)
    const sender: Sender = {
      workload,
      identity: workload.identity,
      ip: workload.ips[0] ?? UNSPECIFIED,
      namespace: workload.namespace,
    }
    this.#proxies.push(name)
    if (proxy === undefined) {
      this.#gaps.push(`${name} is not a waypoint of this control plane: what it lets through is not known here`)
      this.#checks.push({ kind: 'plain', point: 'waypoint', at: name, verdict: 'allowed', reason: 'not known' })
      return 'arrived'
    }
    if (proxy.destinations.settings === undefined)
      return this.#stopped('waypoint', name, 'the waypoint has not been told its settings: it answers 503')
    const { network } = this.#compiled.mesh
    const found = findDestination(
      this.#compiled.workloads,
      proxy.destinations,
      { kind: 'address', ...authority },
      { network, namespace: proxy.namespace },
    )
    if (found.kind === 'none') return this.#stopped('waypoint', name, `${found.message}: it answers 404`)
    return this.#atWaypoint(proxy, { peer, sender }, found, authority)
  }

  #atWaypoint(
    proxy: ProxyState,
    { peer, sender }: { readonly peer: Sender; readonly sender: Sender },
    found: Exclude<DestinationVerdict, { kind: 'none' }>,
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
      this.#gaps.push('the port speaks HTTP and no request was given: asked as GET /')
    }
    const addressed =
      found.kind === 'service'
        ? { service: found.service, port: found.port.number, trafficPolicy: found.destination.trafficPolicy }
        : undefined
    const request = this.#request
    if (request === undefined || protocol === 'tcp' || protocol === 'tls') {
      if (request !== undefined)
        this.#gaps.push(`port ${authority.port} is declared ${protocol}: the waypoint sees bytes, no requests`)
      const { facts, verdict } = judgeConnection(proxy, found.destination, incoming)
      if (!this.#judged('waypoint', proxy, facts, found.destination.authorizationPolicies, verdict)) return 'denied'
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
    if (refusal !== undefined) {
      this.#checks.push({
        kind: 'plain',
        point: 'waypoint',
        at: proxy.name,
        verdict: refusal.kind,
        reason: refusal.reason,
      })
      return refusal.kind
    }
    if (!this.#judged('waypoint', proxy, judged.facts, found.destination.authorizationPolicies, judged.verdict))
      return 'denied'
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

  /** Notes what a proxy said; false: denied. */
  #judged(
    point: 'waypoint' | 'gateway',
    proxy: ProxyState,
    facts: RequestFacts,
    names: readonly string[],
    judged: RequestVerdict,
  ): boolean {
    this.#checks.push({
      kind: 'request',
      point,
      at: proxy.name,
      verdict: judged.allowed ? 'allowed' : 'denied',
      reason: judged.allowed ? judged.reason : judged.details,
      proxy,
      facts,
      names,
      judged,
    })
    return judged.allowed
  }

  #toWorkload(sender: Sender, found: Exclude<DestinationVerdict, { kind: 'none' }>, authority: SocketAddress): End {
    if (found.kind !== 'workload' || sender.workload === undefined) return 'unreachable'
    const { workload, port } = found
    const resolved = resolveWorkload({ workload, port, asked: authority.ip, source: sender.workload })
    if (resolved.kind !== 'direct')
      return this.#stopped('waypoint', this.#proxies.at(-1) ?? '', `${workload.uid} can not be reached`)
    return this.#arriveAtOne(sender, [directArrival(resolved)])
  }

  /** From a proxy to an endpoint of the service that it chose. */
  #onward(
    proxy: ProxyState,
    point: 'waypoint' | 'gateway',
    sender: Sender,
    onward: ReturnType<typeof routeOnward>,
    asked: SocketAddress,
  ): End {
    if (onward.kind === 'answered') return this.#stopped(point, proxy.name, onward.reason)
    const { service, port, members, route } = onward
    const source = sender.workload
    if (source === undefined) return 'unreachable'
    this.#noteService(service)
    const via = route === undefined ? '' : ` by route ${route}`
    if (service.loadBalancing.mode === 'Passthrough') {
      if (!onward.isAddressed)
        return this.#stopped(
          point,
          proxy.name,
          `no healthy upstream: ${service.hostname}: its clients say the address, and here none did`,
        )
      return this.#outside(
        formatSocketAddress(asked),
        `${service.hostname} has no endpoints of its own: to where the client was going`,
      )
    }
    const all = service.ports.has(port)
      ? endpointCandidates(this.#compiled.workloads, {
          source,
          service,
          servicePort: port,
          portOf: servicePortChoice(service, port),
        }).filter(
          ({ workload }) => workload.network === source.network && (members === undefined || members.has(workload.uid)),
        )
      : []
    const usable = preferred(all, source, service.loadBalancing)
    const named = usable.find(({ workload }) => workload.ips.length === 0 && workload.hostname !== '')
    if (named !== undefined)
      return this.#outside(
        `${named.workload.hostname}:${named.port}`,
        `an endpoint of ${service.hostname}${via}, outside of the mesh: plain text`,
      )
    const arrivals = usable.flatMap((one) => {
      const resolved = resolveWorkload({ ...one, asked: asked.ip, source, service })
      return resolved.kind === 'direct' ? [directArrival(resolved, via)] : []
    })
    if (arrivals.length === 0)
      return this.#stopped(
        point,
        proxy.name,
        `no healthy upstream: none of the endpoints of ${service.namespace}/${service.hostname} serves port ${port}`,
      )
    return this.#arriveAtOne(sender, arrivals)
  }

  /** The first of those that might be chosen; the rest is looked at in the end. */
  #arriveAtOne(sender: Sender, arrivals: readonly Arrival[]): End {
    const [first, ...rest] = arrivals
    if (first === undefined) return 'unreachable'
    this.#choices = rest
    this.#lastSender = sender
    return this.#arrive(sender, first)
  }

  #arrive(sender: Sender, arrival: Arrival): End {
    const { workload, destination, transport, because } = arrival
    const pod = this.#podOf(workload)
    const name = `${workload.namespace}/${workload.name}`
    const node = workload.node || undefined
    const check = this.#atDestination(sender, arrival, pod)
    const by = { transport, address: formatSocketAddress(destination) }
    if (check !== undefined) {
      this.#checks.push(check)
      this.#hops.push({
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
    const captured = check === undefined ? this.#notGuarded(workload, pod, because) : 'handed over in the pod'
    this.#hops.push({
      kind: isProxy ? 'gateway' : 'endpoint',
      name: isProxy ? proxyName(pod) : name,
      node,
      identity: transport === 'hbone' ? formatSpiffeId(workload.identity) : undefined,
      by: check === undefined ? by : { transport: 'local', address: formatSocketAddress(destination) },
      because: captured,
    })
    if (check !== undefined && check.verdict !== 'allowed') {
      this.#endpoint = workload
      this.#isEndpointGuarded = true
      return check.verdict
    }
    if (isProxy) return this.#atGateway(sender, pod, workload, destination)
    this.#endpoint = workload
    this.#isEndpointGuarded = check !== undefined
    return 'arrived'
  }

  #notGuarded(workload: Workload, pod: Pod | undefined, because: string): string {
    if (pod === undefined) return `${because}; it is no pod of the mesh`
    if (workload.protocol === 'HBONE') return `${because}; it takes what arrives itself`
    return `${because}; it is ${whyNotCaptured(this.#compiled, pod)}`
  }

  /** Undefined: no ztunnel stands before it. */
  #atDestination(
    sender: Sender,
    { workload, destination, transport }: Arrival,
    pod: Pod | undefined,
  ): Check | undefined {
    if (workload.protocol !== 'HBONE' || workload.nativeTunnel || workload.networkMode === 'HostNetwork')
      return undefined
    if (transport === 'plain' && pod?.annotations[ANNOTATIONS.bypassInboundCapture] === 'true') return undefined
    const { workloads, mesh, policies } = this.#compiled
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

  #isGateway(pod: Pod): boolean {
    return pod.isRouter && this.#compiled.proxies.has(proxyName(pod)) && this.#proxies.length < MAX_PROXIES
  }

  /** An ingress gateway: listener, policies, route. */
  #atGateway(client: Sender, pod: Pod, workload: Workload, destination: SocketAddress): End {
    const name = proxyName(pod)
    const proxy = this.#compiled.proxies.get(name)
    const settings = proxy?.destinations.settings
    if (proxy === undefined || settings === undefined)
      return this.#stopped('gateway', name, 'the gateway has not been told its settings')
    this.#proxies.push(name)
    const isSecured = proxy.listeners.isSecured(destination.port)
    if (isSecured === undefined)
      return this.#stopped('gateway', name, `no listener of the gateway serves port ${destination.port}`)
    if (this.#request === undefined) {
      this.#request = sentRequest({ method: 'GET', path: '/' }, this.#target, isSecured)
      this.#gaps.push('a gateway serves requests and none was given: asked as GET /')
    }
    const request = this.#request
    const sni = this.#question.sni ?? (isSecured ? hostOf(request.authority) : undefined)
    const listener = proxy.listeners.find(destination.port, isSecured ? (sni ?? '') : request.authority)
    const routes = listener === undefined ? [] : proxy.listeners.routes(listener, request.authority)
    const incoming = {
      peer: undefined,
      sourceIp: client.ip,
      remoteIp: undefined,
      isTunnel: false,
      destination,
      sni,
    }
    const judged = judgeRequest(proxy, settings, incoming, request)
    const { refusal } = judged
    if (refusal !== undefined) {
      this.#checks.push({ kind: 'plain', point: 'gateway', at: name, verdict: refusal.kind, reason: refusal.reason })
      return refusal.kind
    }
    if (!this.#judged('gateway', proxy, judged.facts, settings.authorizationPolicies, judged.verdict)) return 'denied'
    if (listener === undefined)
      return this.#stopped('gateway', name, `no listener takes the host ${request.authority}: it is answered 404`)
    if (listener.httpsRedirect && !isSecured)
      return this.#stopped('gateway', name, `listener ${listener.name} redirects it to https`)
    const onward = routeOnward(proxy, this.#compiled.workloads, {
      routes,
      judged,
      request,
      sourceNamespace: undefined,
      scheme: isSecured ? 'https' : 'http',
      addressed: undefined,
    })
    const sender: Sender = {
      workload,
      identity: workload.identity,
      ip: workload.ips[0] ?? UNSPECIFIED,
      namespace: workload.namespace,
    }
    if (onward.kind === 'service') {
      const via = resolveIngress(this.#compiled.workloads, onward.service, {
        source: workload,
        port: onward.port,
        random: FIRST,
      })
      if (via?.kind === 'waypoint') {
        // As gateways do; a waypoint judges the client that it names, too.
        this.#request = { ...request, headers: [...request.headers, 'x-forwarded-for', client.ip] }
        return this.#toWaypoint(via, sender)
      }
      if (via?.kind === 'refused') return this.#stopped('gateway', name, via.message)
    }
    return this.#onward(proxy, 'gateway', sender, onward, destination)
  }

  #podOf(workload: Workload): Pod | undefined {
    const pod = this.#compiled.judgement.state.pods.get(workload.namespace, workload.name)
    return workload.uid.includes('//Pod/') ? pod : undefined
  }

  /** Endpoints that might have been chosen as well, where they answer otherwise. */
  #others(outcome: Outcome): readonly OtherEndpoint[] {
    const seen = new Map<string, OtherEndpoint | undefined>()
    const found: OtherEndpoint[] = []
    for (const arrival of this.#choices) {
      const { workload, transport } = arrival
      const key = JSON.stringify([
        workload.namespace,
        workload.protocol,
        workload.authorizationPolicies,
        transport,
        arrival.destination.port,
      ])
      if (!seen.has(key)) seen.set(key, this.#other(arrival, outcome))
      const other = seen.get(key)
      if (other !== undefined) found.push({ ...other, endpoint: `${workload.namespace}/${workload.name}` })
    }
    return found
  }

  #other(arrival: Arrival, outcome: Outcome): OtherEndpoint | undefined {
    const { workload } = arrival
    const check = this.#atDestination(this.#lastSender, arrival, this.#podOf(workload))
    const end = check === undefined || check.verdict === 'allowed' ? 'arrived' : check.verdict
    if (outcomeOf(end) === outcome) return undefined
    const policy = check?.kind === 'connection' ? check.judged.policy : undefined
    const reason = check?.reason ?? 'no ztunnel stands before it'
    return { endpoint: `${workload.namespace}/${workload.name}`, outcome: outcomeOf(end), reason, policy }
  }
}

function outcomeOf(end: End): Outcome {
  return end === 'arrived' ? 'allowed' : end
}

function directArrival({ workload, to, authority, protocol }: Direct, via: string = ''): Arrival {
  const isTunnelled = authority !== undefined && protocol === 'HBONE'
  return {
    workload,
    destination: authority ?? to,
    transport: isTunnelled ? 'hbone' : 'plain',
    because: isTunnelled
      ? `an endpoint${via}: encrypted and authenticated, its pod is captured`
      : `an endpoint${via}: plain text, its pod is not captured`,
  }
}

function proxyName(pod: Pod): string {
  return `${pod.namespace}/${routerNameOf(pod)}`
}

function hostOf(authority: string): string {
  return authority.replace(/:\d*$/, '')
}

/** Pods that share their node's network are found by no address. */
function hostNetworked(pods: Iterable<Pod>, { workloads, mesh }: CompiledMesh, address: Ip): Workload | undefined {
  for (const pod of pods) {
    if (pod.running && pod.hostNetwork && pod.ips.includes(address))
      return workloads.workload(`${mesh.clusterId}//Pod/${pod.namespace}/${pod.name}`)
  }
  return undefined
}

/** Somebody outside, for choices that only compare networks. */
const NOBODY: SpiffeId = { trustDomain: '', namespace: '', serviceAccount: '' }
