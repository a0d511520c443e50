import type { AuthorizationPolicy } from '@ambit/controller/judgement'
import type { MeshModel } from '@ambit/explain'
import type { Destination } from '../compare/destinations.ts'
import { type ReadPolicy, readPolicy } from './read-policy.ts'

interface Entry {
  readonly written: AuthorizationPolicy
  readonly read: ReadPolicy
  /** Ports that it names. */
  readonly ports: readonly number[]
}

type Place = Pick<Destination, 'namespace' | 'target' | 'mayConcern'>

const SERVICES: ReadonlySet<string> = new Set(['Service', 'ServiceEntry'])

/** The policies of a mesh, found by where they may be in force. */
export class PolicyTable {
  readonly #root: string
  readonly #ofNamespace = new Map<string, Entry[]>()
  /** By `kind/name`. */
  readonly #ofService = new Map<string, Entry[]>()
  /** Of Gateways and classes: who is behind them is not asked here. */
  readonly #anywhere: Entry[] = []

  constructor(model: MeshModel) {
    const { trustDomain, waypoints, rootNamespace } = model.mesh
    this.#root = rootNamespace
    const domains = { trustDomain, trustDomainAliases: waypoints?.trustDomainAliases ?? [] }
    for (const written of model.policies()) {
      const read = readPolicy(written, domains)
      this.#file({ written, read, ports: portsIn(read.policy) })
    }
  }

  of(place: Place): readonly ReadPolicy[] {
    return this.#concerning(place).map(({ read }) => read)
  }

  portsNamed(place: Place): readonly number[] {
    return this.#concerning(place).flatMap(({ ports }) => ports)
  }

  #file(entry: Entry): void {
    const { targetRefs, namespace } = entry.written
    if (targetRefs.length === 0) this.#ofNamespace.getOrInsertComputed(namespace, () => []).push(entry)
    else if (targetRefs.some(({ kind }) => !SERVICES.has(kind))) this.#anywhere.push(entry)
    else {
      const keys = new Set(targetRefs.map(({ kind, name }) => `${kind}/${name}`))
      for (const key of keys) this.#ofService.getOrInsertComputed(key, () => []).push(entry)
    }
  }

  #concerning({ namespace, target, mayConcern }: Place): readonly Entry[] {
    const near = [...new Set([namespace, this.#root])].flatMap((of) => this.#ofNamespace.get(of) ?? [])
    const named = target === undefined ? [] : (this.#ofService.get(`${target.kind}/${target.name}`) ?? [])
    return [...near, ...named, ...this.#anywhere].filter(({ written }) => mayConcern(written))
  }
}

function portsIn({ rules }: ReadPolicy['policy']): readonly number[] {
  return rules.flatMap(({ to, when }) => [
    ...to.flatMap(({ ports }) => [...ports.some, ...ports.none]),
    ...when.flatMap((condition) =>
      condition.kind === 'port' ? [...condition.values.some, ...condition.values.none] : [],
    ),
  ])
}
