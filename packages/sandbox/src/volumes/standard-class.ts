import type { ObjectClient } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { GVR } from '../objects/gvr.ts'

/** Who makes the volumes of the sandbox's own class. */
export const PROVISIONER = 'ambit.io/folder'

/** The class of claims that name none: volumes are folders of the machine, the same on all nodes. */
export async function publishStandardClass(client: ObjectClient): Promise<void> {
  try {
    await client.create(GVR.storageClasses, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: {
        name: 'standard',
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: PROVISIONER,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'Immediate',
    })
  } catch (error) {
    if (!hasStatus(error, 409)) throw error
  }
}
