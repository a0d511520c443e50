import { codeOf, type DialOptions, type Ip, ip, ipFamily, type SocketAddress } from '@ambit/core'
import type { Netns } from './netns.ts'
import { clientFd, listenerFd } from './netns-fd.ts'
import { preferNewer } from './prefer-newer.ts'
import { spoofedPorts } from './spoofed-ports.ts'

export interface DescriptorOptions {
  /** Packet mark of every socket, set before it can send anything. */
  readonly mark?: number | undefined
  /**
   * A foreign source address could not be taken, and the connection goes out with the namespace's own (Istio does the
   * same). Reported here because the application then sees the wrong client.
   */
  readonly onSourceRefused?: ((error: unknown, options: Pick<DialOptions, 'to' | 'from'>) => void) | undefined
}

export interface ListenerDescriptorOptions {
  /** `::` listens for both families where the namespace has IPv6. */
  readonly ip: Ip
  readonly port: number
  readonly reusePort?: boolean | undefined
  readonly transparent?: boolean | undefined
  readonly keepAlive?: boolean | undefined
}

/** Sockets of one namespace as descriptors, for those who have no use for Node's. Whoever gets one owns it. */
export interface DescriptorFactory {
  /** Bound, and not listening yet. */
  listener(options: ListenerDescriptorOptions): number
  /** Not connected yet. */
  client(options: { readonly to: SocketAddress; readonly from?: Ip | undefined }): number
  /** Where an accepted connection was going before it was redirected; `original` is what netfilter remembers. */
  originalDestination(accepted: {
    readonly local: SocketAddress
    readonly original: SocketAddress | undefined
  }): SocketAddress
  preferNewer(listener: number): boolean
}

/** Without a namespace: of this process' own. */
export function netnsDescriptors(netns: Netns | undefined, options: DescriptorOptions = {}): DescriptorFactory {
  return new NetnsDescriptors(netns, options)
}

class NetnsDescriptors implements DescriptorFactory {
  readonly #netns: Netns | undefined
  readonly #options: DescriptorOptions
  readonly #nextSpoofedPort = spoofedPorts()

  constructor(netns: Netns | undefined, options: DescriptorOptions) {
    this.#netns = netns
    this.#options = options
  }

  listener({ ip: at, port, reusePort, transparent, keepAlive }: ListenerDescriptorOptions): number {
    const options = { mark: this.#options.mark, reusePort, transparent, keepAlive }
    try {
      return listenerFd(this.#netns, { ip: at, port }, options)
    } catch (error) {
      const noIpv6 = at === '::' && codeOf(error) === 'EAFNOSUPPORT'
      if (!noIpv6) throw error
      return listenerFd(this.#netns, { ip: ip('0.0.0.0'), port }, options)
    }
  }

  client(options: { readonly to: SocketAddress; readonly from?: Ip | undefined }): number {
    const { mark } = this.#options
    const { to } = options
    const from = foreignSource(options)
    if (from === undefined) return clientFd(this.#netns, to.ip, { mark })
    try {
      return clientFd(this.#netns, to.ip, { mark, from: { ip: from, nextPort: this.#nextSpoofedPort } })
    } catch (error) {
      this.#options.onSourceRefused?.(error, options)
      return clientFd(this.#netns, to.ip, { mark })
    }
  }

  originalDestination({
    local,
    original,
  }: {
    readonly local: SocketAddress
    readonly original: SocketAddress | undefined
  }): SocketAddress {
    return original ?? local
  }

  preferNewer(listener: number): boolean {
    return preferNewer(listener)
  }
}

/** The source to take; none towards oneself, where replies could not be told apart, nor across families. */
function foreignSource({ from, to }: { readonly to: SocketAddress; readonly from?: Ip | undefined }): Ip | undefined {
  return from === undefined || from === to.ip || ipFamily(from) !== ipFamily(to.ip) ? undefined : from
}
