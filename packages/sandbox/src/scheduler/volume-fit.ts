import type { Node, PersistentVolume, PersistentVolumeClaim } from '../objects/cluster.types.ts'
import type { Pod } from '../objects/pod.types.ts'
import { matchesTerm } from './node-fit.ts'

/** Names of the claims that a pod mounts. */
export function claimsOf(pod: Pod): readonly string[] {
  return (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? [])
}

/** Why a pod can't go anywhere as long as its claims are as they are, in kube-scheduler's words. */
export function claimProblem(
  pod: Pod,
  claimNamed: (name: string) => PersistentVolumeClaim | undefined,
): string | undefined {
  for (const name of claimsOf(pod)) {
    const claim = claimNamed(name)
    if (claim === undefined) return `persistentvolumeclaim "${name}" not found`
    if (claim.metadata.deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`
    if (claim.status?.phase === 'Lost')
      return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`
    if (claim.status?.phase !== 'Bound') return 'pod has unbound immediate PersistentVolumeClaims'
  }
  return undefined
}

/** Whether a volume can be reached from a node. */
export function isReachable(volume: PersistentVolume, node: Node): boolean {
  const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms
  return terms === undefined || terms.some((term) => matchesTerm(term, node))
}
