import type { KubeObject } from '../contract.types.ts'
import type { StatusCause } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { RequestContext } from './request-context.ts'

/** What rules may look at besides the object. */
export interface RuleEnvironment {
  readonly store: ObjectStore
  readonly now: () => number
  /** Makes and keeps a free ClusterIP or node port. */
  readonly services: ServiceAllocator
}

export interface ServiceAllocator {
  /** Errors name the service. */
  clusterIp(family: 'IPv4' | 'IPv6', wanted: string | undefined, service: string): string
  /** `own`: ports that the same request has been given. */
  nodePort(wanted: number | undefined, service: string, own: ReadonlySet<number>): number
  readonly hasIpv6: boolean
}

/** Rules of a kind, each optional. Objects given to change are private copies. */
export interface KindRules {
  /** Fills in what Kubernetes fills in; runs before validation on every write. */
  defaults?(object: KubeObject, old: KubeObject | undefined): void
  /** Built-in admission: once, at creation. May throw StatusError. */
  admitCreate?(object: KubeObject, environment: RuleEnvironment, context: RequestContext): void
  admitUpdate?(object: KubeObject, old: KubeObject, environment: RuleEnvironment, context: RequestContext): void
  validate?(object: KubeObject, old: KubeObject | undefined): readonly StatusCause[]
}
