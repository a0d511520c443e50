import type { Listener, Route } from '@ambit/state'
import { HostIndex, hostOfAuthority } from './host-index.ts'

interface Port {
  readonly isSecured: boolean
  readonly byHost: HostIndex<Listener>
}

/** The listeners of a gateway, as connections and requests look for them. */
export class ListenerTable {
  readonly #ports = new Map<number, Port>()
  readonly #virtualHosts = new Map<Listener, HostIndex<readonly Route[]>>()

  constructor(listeners: readonly Listener[]) {
    for (const [port, group] of Map.groupBy(listeners, (listener) => listener.port)) {
      const byHost = new HostIndex(group.map((listener) => [listener.hosts, listener]))
      this.#ports.set(port, { isSecured: group.some(({ tls }) => tls !== undefined), byHost })
    }
    for (const listener of listeners) {
      const { virtualHosts } = listener
      this.#virtualHosts.set(listener, new HostIndex(virtualHosts.map(({ hosts, routes }) => [hosts, routes])))
    }
  }

  get ports(): ReadonlySet<number> {
    return new Set(this.#ports.keys())
  }

  /** Undefined where nothing listens. */
  isSecured(port: number): boolean | undefined {
    return this.#ports.get(port)?.isSecured
  }

  /** By the server name of a TLS client, or by the authority of a plain request. */
  find(port: number, name: string): Listener | undefined {
    return this.#ports.get(port)?.byHost.find(hostOfAuthority(name))
  }

  /** None where the listener knows no such host. */
  routes(listener: Listener, authority: string): readonly Route[] {
    return this.#virtualHosts.get(listener)?.find(hostOfAuthority(authority)) ?? []
  }
}
