import { LABELS } from '@ambit/api'
import type { KubeObject } from '@ambit/kube'

/** Name of the Gateway an object belongs to, if that is another one. */
export function otherOwner({ metadata }: KubeObject, uid: string): string | undefined {
  const owners = metadata.ownerReferences?.filter(({ kind }) => kind === 'Gateway') ?? []
  return owners.some((owner) => owner.uid === uid) ? undefined : owners[0]?.name
}

/** Why an object is not to be changed for the Gateway of that UID; undefined when it may be. */
export function foreignness(present: KubeObject, uid: string): string | undefined {
  if (present.metadata.labels?.[LABELS.gatewayManaged] === undefined)
    return `it lacks the label ${LABELS.gatewayManaged}, somebody else made it`
  const owner = otherOwner(present, uid)
  return owner === undefined ? undefined : `it belongs to Gateway ${owner}`
}
