import type { ReceivedResource } from '@ambit/state'
import type { ResourceInput } from '@ambit/xds'

const NONE: readonly ReceivedResource[] = []

/** What the control plane would tell its proxies, and which of them. */
export class Told {
  readonly #byType = new Map<string, Map<string, ResourceInput>>()
  readonly #byProxy = new Map<string, Map<string, ReceivedResource[]>>()

  readonly update = (
    typeUrl: string,
    change: { readonly upserts?: readonly ResourceInput[]; readonly removed?: readonly string[] },
  ): void => {
    const resources = this.#byType.getOrInsertComputed(typeUrl, () => new Map<string, ResourceInput>())
    for (const name of change.removed ?? []) resources.delete(name)
    for (const resource of change.upserts ?? []) resources.set(resource.name, resource)
    this.#byProxy.clear()
  }

  /** What everybody is told. */
  everybody(typeUrl: string): readonly ReceivedResource[] {
    return [...(this.#byType.get(typeUrl)?.values() ?? [])].filter(({ audience }) => audience === undefined)
  }

  /** What one waypoint or gateway, `namespace/name`, is told of a type. */
  proxy(typeUrl: string, name: string): readonly ReceivedResource[] {
    return this.#proxies(typeUrl).get(name) ?? NONE
  }

  /** All that are told something of the type and not everybody. */
  proxies(typeUrl: string): Iterable<string> {
    return this.#proxies(typeUrl).keys()
  }

  #proxies(typeUrl: string): Map<string, ReceivedResource[]> {
    return this.#byProxy.getOrInsertComputed(typeUrl, () => {
      const byName = new Map<string, ReceivedResource[]>()
      for (const resource of this.#byType.get(typeUrl)?.values() ?? []) {
        for (const name of resource.audience ?? []) byName.getOrInsertComputed(name, () => []).push(resource)
      }
      return byName
    })
  }
}
