import type { SpiffeId } from '@ambit/core'
import { Interned, keyOfTexts } from './interned.ts'
import type { GatewayAddress, Locality, PortMap, ServiceKey } from './workload.types.ts'

/** Values that the workloads of a mesh share by the thousand. None of them is ever changed. */
export class SharedParts {
  readonly #texts = new Interned<string>()
  readonly #lists = new Interned<readonly string[]>()
  readonly #identities = new Interned<SpiffeId>()
  readonly #localities = new Interned<Locality>()
  readonly #gateways = new Interned<GatewayAddress>()
  readonly #ports = new Interned<PortMap>()
  readonly #services = new Interned<ReadonlyMap<ServiceKey, PortMap>>()

  text(text: string): string {
    return text === '' ? '' : this.#texts.get(text, () => text)
  }

  list(texts: readonly string[]): readonly string[] {
    return texts.length === 0 ? NO_TEXTS : this.#lists.get(keyOfTexts(texts), () => texts)
  }

  identity(identity: SpiffeId): SpiffeId {
    const { trustDomain, namespace, serviceAccount } = identity
    return this.#identities.get(keyOfTexts([trustDomain, namespace, serviceAccount]), () => identity)
  }

  locality(locality: Locality): Locality {
    const { region, zone, subzone } = locality
    return this.#localities.get(keyOfTexts([region, zone, subzone]), () => locality)
  }

  gateway(gateway: GatewayAddress): GatewayAddress {
    const { destination: to, hboneMtlsPort } = gateway
    const parts = to.kind === 'address' ? [to.kind, to.network, to.ip] : [to.kind, to.namespace, to.hostname]
    return this.#gateways.get(keyOfTexts([...parts, String(hboneMtlsPort)]), () => gateway)
  }

  ports(pairs: readonly (readonly [number, number])[]): PortMap {
    return this.#ports.get(pairs.join(' '), () => new Map(pairs))
  }

  services(
    entries: readonly (readonly [ServiceKey, readonly (readonly [number, number])[]])[],
  ): ReadonlyMap<ServiceKey, PortMap> {
    if (entries.length === 0) return NO_SERVICES
    const key = keyOfTexts(entries.flatMap(([service, pairs]) => [service, pairs.join(' ')]))
    return this.#services.get(
      key,
      () => new Map(entries.map(([service, pairs]) => [this.text(service), this.ports(pairs)])),
    )
  }
}

const NO_TEXTS: readonly string[] = []
const NO_SERVICES: ReadonlyMap<ServiceKey, PortMap> = new Map()
