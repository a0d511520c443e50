import {
  type Clock,
  type DialOptions,
  formatSocketAddress,
  type Ip,
  ip,
  type Logger,
  messageOf,
  type SocketAddress,
  type SocketFactory,
} from '@ambit/core'
import { POST_QUANTUM_GROUPS } from '@ambit/hbone'
import type { SecretManager } from '@ambit/identity'
import {
  type DescriptorFactory,
  hostSockets,
  interfaceAddresses,
  markedSockets,
  Netns,
  netnsDescriptors,
  netnsSockets,
} from '@ambit/linux'
import type { PolicyStore, WorkloadStore } from '@ambit/state'
import type { Config, WorkloadInfo } from './config.types.ts'
import { Connections } from './connections.ts'
import type { DataPath } from './data-path/data-path.types.ts'
import { DnsForwarder } from './dns/forwarder.ts'
import type { ResolvConf } from './dns/resolv-conf.ts'
import { type DnsMetrics, DnsServer } from './dns/server.ts'
import type { ConnectionEvents } from './events.ts'
import { Inbound } from './inbound.ts'
import { InboundPlaintext } from './inbound-plaintext.ts'
import { DNS_PORT } from './limits.ts'
import { LocalWorkload } from './local-workload.ts'
import { Outbound, type OutboundComponents } from './outbound.ts'
import type { PodNetns } from './pod-proxies.ts'
import { PodProxy } from './pod-proxy.ts'
import type { PolicyLog } from './policy-log.ts'
import { Rejudging } from './rejudging.ts'

/** What all pods of the node share. */
export interface PodAssemblyComponents {
  readonly store: WorkloadStore
  readonly policies: PolicyStore
  readonly secrets: Pick<SecretManager, 'get'>
  readonly events: ConnectionEvents
  readonly policyLog: PolicyLog
  readonly dataPath: () => DataPath
  readonly dnsMetrics: DnsMetrics
  readonly demand: OutboundComponents['demand']
  readonly clock: Clock
  readonly logger: Logger
  readonly random: () => number
  /** Ends with the process. */
  readonly signal: AbortSignal
}

export interface PodAssemblyOptions {
  readonly config: Config
  readonly resolvConf: ResolvConf
  /** Sockets of the dedicated pod instead of the host's. */
  readonly sockets?: SocketFactory | undefined
  readonly descriptors?: DescriptorFactory | undefined
  readonly dnsAddresses?: readonly Ip[] | undefined
  readonly nameservers?: readonly SocketAddress[] | undefined
}

/** Puts the proxy of one pod together out of the node's shared parts and the pod's own, and opens its listeners. */
export class PodAssembly {
  readonly #components: PodAssemblyComponents
  readonly #options: PodAssemblyOptions
  readonly #rejudging = new Rejudging()

  constructor(components: PodAssemblyComponents, options: PodAssemblyOptions) {
    this.#components = components
    this.#options = options
  }

  async start(workload: WorkloadInfo, netns: PodNetns): Promise<PodProxy> {
    const { config } = this.#options
    const { store, policies, events, policyLog, dataPath, secrets, demand, clock, logger, random } = this.#components
    const { sockets, descriptors } = this.#sockets(netns)
    const connections = new Connections({
      policies,
      currentWorkload: (uid) => store.workload(uid),
      clock,
      logger: logger.scope('connections'),
      rejudging: this.#rejudging,
    })
    const local = new LocalWorkload(store, workload)
    const originalSource = config.originalSource !== false
    const common = { workloads: store, local, connections, events, policyLog }
    const inbound = new Inbound(common, {
      network: config.network,
      originalSource,
      localhostAppTunnel: config.localhostAppTunnel,
      responseBaggage: config.responseBaggage,
    })
    const path = dataPath().forPod(
      {
        sockets,
        descriptors,
        certificate: (identity, cancelled) => secrets.get(identity, cancelled),
        ownCertificate: async () => await secrets.get((await local.get()).identity),
        onConnect: (connect) => inbound.serve(connect),
        onTlsError: (error, remote) => this.#onTlsError(error, remote),
        clock,
        logger,
      },
      {
        keyExchangeGroups: config.pqcOnly ? POST_QUANTUM_GROUPS : undefined,
        maxStreamsPerConnection: config.pool.maxStreamsPerConnection,
        idleReleaseMs: config.pool.unusedReleaseMs,
      },
    )
    return await PodProxy.start(
      {
        connections,
        outbound: new Outbound({ ...common, random, demand }, { network: config.network }),
        inboundPlaintext: new InboundPlaintext(common, { network: config.network, originalSource }),
        path,
        startDns: config.dns.enabled ? () => this.#startDns(sockets, local, netns) : undefined,
        clock,
      },
      {
        ports: config.ports,
        listenIp: config.listenIp,
        reusePort: config.portReuse,
        transparent: netns instanceof Netns && originalSource,
      },
    )
  }

  async #startDns(sockets: SocketFactory, local: LocalWorkload, netns: PodNetns): Promise<DnsServer> {
    const { config, resolvConf } = this.#options
    const { store, dnsMetrics, clock, logger, random, signal } = this.#components
    const nameservers =
      this.#options.nameservers ?? resolvConf.nameservers.map((server) => ({ ip: server, port: DNS_PORT }))
    return await DnsServer.start(
      {
        sockets,
        directory: {
          servicesByHostname: (hostname) => store.servicesByHostname(hostname),
          endpointWorkloads: (service) =>
            store.usableEndpoints(service).flatMap(({ workloadUid }) => store.workload(workloadUid) ?? []),
        },
        forwarder: new DnsForwarder({ sockets, clock }, { nameservers }),
        client: () => local.find(signal),
        metrics: dnsMetrics,
        clock,
        logger: logger.scope('dns'),
      },
      {
        port: config.dns.address?.port ?? config.ports.dns,
        addresses: config.dns.address === undefined ? this.#dnsAddresses(netns) : [config.dns.address.ip],
        network: config.network,
        clusterDomain: config.clusterDomain,
        preferredNamespace: config.preferredServiceNamespace,
        ipv6Enabled: config.ipv6Enabled,
        searchDomains: config.mode.kind === 'dedicated' ? resolvConf.search : undefined,
        random,
      },
    )
  }

  /** Whether loopback has IPv6 differs between the pods of one node. */
  #dnsAddresses(netns: PodNetns): readonly Ip[] {
    const { config, dnsAddresses } = this.#options
    if (dnsAddresses !== undefined) return dnsAddresses
    const loopback = ip('::1')
    const hasIpv6 =
      config.ipv6Enabled &&
      netns instanceof Netns &&
      interfaceAddresses(netns).some((address) => address.ip === loopback)
    return hasIpv6 ? [ip('127.0.0.1'), loopback] : [ip('127.0.0.1')]
  }

  #sockets(netns: PodNetns): { readonly sockets: SocketFactory; readonly descriptors: DescriptorFactory } {
    const { packetMark: mark } = this.#options.config
    const options = {
      mark,
      onSourceRefused: (error: unknown, dial: Pick<DialOptions, 'to'>): void =>
        this.#components.logger.warn(
          'could not take the address of the client; the application sees the pod as source',
          { to: formatSocketAddress(dial.to), error: messageOf(error) },
        ),
    }
    const home = netns instanceof Netns ? netns : undefined
    const descriptors = this.#options.descriptors ?? netnsDescriptors(home, options)
    if (home !== undefined) return { sockets: netnsSockets(home, options), descriptors }
    if (this.#options.sockets !== undefined) return { sockets: this.#options.sockets, descriptors }
    return { sockets: mark === undefined ? hostSockets() : markedSockets({ ...options, mark }), descriptors }
  }

  #onTlsError(error: Error, remote: SocketAddress | undefined): void {
    this.#components.logger.scope('access').warn('connection failed', {
      'src.addr': remote && formatSocketAddress(remote),
      direction: 'inbound',
      error: `tls error: ${error.message}`,
    })
  }
}
