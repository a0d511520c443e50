export { KubeConfig } from '@kubernetes/client-node'
export { ensureObject } from './ensure-object.ts'
export * from './errors.ts'
export { KINDS } from './kinds.ts'
export {
  type ApplyOptions,
  KubeClient,
  type ObjectName,
  type PatchOptions,
} from './kube-client.ts'
export { LeaderElection, type LeaderElectionComponents, type LeaderElectionOptions } from './leader-election.ts'
export type { Lease } from './lease.ts'
export { type KubeConfigSource, loadKubeConfig } from './load-kube-config.ts'
export type * from './object.types.ts'
export { type ObjectHandler, ObjectSet, type ReadonlyObjectSet } from './object-set.ts'
export { resourcePath } from './resource-path.ts'
export { type StatusWrite, StatusWriter } from './status-writer.ts'
export { reviewToken, type TokenCaller, type TokenVerdict, verdictOf } from './token-review.ts'
export { type WatchObjectsOptions, watchObjects } from './watch-objects.ts'
