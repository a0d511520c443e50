import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Logger } from '@ambit/core'
import type { ObjectClient } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import { WorkQueue } from '../controllers/work-queue.ts'
import type { EventRecorder } from '../kubelet/event-recorder.ts'
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import { keyOf, type ObjectCache } from '../objects/object-cache.ts'
import { chooseVolume } from './choose-volume.ts'
import { PROVISIONER } from './standard-class.ts'

/** Where every node shows the folders of volumes. */
export const NODE_VOLUMES_FOLDER = '/var/lib/ambit/volumes'
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by'

export interface VolumeBinderComponents {
  readonly client: ObjectClient
  readonly logger: Logger
  readonly clock: Clock
  readonly events: EventRecorder
  readonly claims: ObjectCache<PersistentVolumeClaim>
  readonly volumes: ObjectCache<PersistentVolume>
}

/**
 * Gives claims their volumes: those that exist, else a new folder where the class is the sandbox's own. What a claim leaves
 * is deleted or kept as the volume's reclaim policy says.
 */
export class VolumeBinder implements Disposable {
  readonly #components: VolumeBinderComponents
  readonly #folder: string
  readonly #stack = new DisposableStack()

  /** The folder on this machine that nodes show. */
  constructor(components: VolumeBinderComponents, folder: string) {
    this.#components = components
    this.#folder = folder
    const { claims, clock, logger, volumes } = components
    const claimQueue = this.#stack.use(
      new WorkQueue({ name: 'claim', logger, clock, reconcile: (key) => this.#bind(key) }),
    )
    const volumeQueue = this.#stack.use(
      new WorkQueue({ name: 'volume', logger, clock, reconcile: (key) => this.#settle(key.slice(1)) }),
    )
    const onVolume = (volume: PersistentVolume): void => {
      volumeQueue.add(keyOf(volume))
      for (const claim of claims.all()) if (claim.status?.phase !== 'Bound') claimQueue.add(keyOf(claim))
    }
    this.#stack.use(volumes.subscribe(({ object }) => onVolume(object)))
    this.#stack.use(
      claims.subscribe(({ object }) => {
        claimQueue.add(keyOf(object))
        if (object.spec.volumeName) volumeQueue.add(`/${object.spec.volumeName}`)
      }),
    )
    for (const claim of claims.all()) claimQueue.add(keyOf(claim))
    for (const volume of volumes.all()) onVolume(volume)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }

  async #bind(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const { claims, client, volumes } = this.#components
    const claim = claims.get(namespace, name)
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return
    if (claim.status?.phase === 'Bound') return
    const volume = chooseVolume(claim, volumes.all()) ?? (await this.#provision(claim))
    if (volume === undefined) return
    const volumeName = volume.metadata.name ?? ''
    await client.patch(GVR.persistentVolumes, undefined, volumeName, { spec: { claimRef: referenceTo(claim) } })
    await client.patch(GVR.persistentVolumes, undefined, volumeName, { status: { phase: 'Bound' } }, STATUS)
    const annotations = { 'pv.kubernetes.io/bind-completed': 'yes' }
    await client.patch(GVR.persistentVolumeClaims, namespace, name, { metadata: { annotations }, spec: { volumeName } })
    const { accessModes, capacity } = volume.spec
    const status = { phase: 'Bound', accessModes, capacity }
    await client.patch(GVR.persistentVolumeClaims, namespace, name, { status }, STATUS)
  }

  /** A new volume for a claim of the sandbox's own class; undefined, and an event, where nothing will come. */
  async #provision(claim: PersistentVolumeClaim): Promise<PersistentVolume | undefined> {
    const { client } = this.#components
    const className = claim.spec.storageClassName ?? ''
    if (claim.spec.volumeName) return this.#tell(claim, 'FailedBinding', `volume "${claim.spec.volumeName}" not found`)
    if (className === '')
      return this.#tell(
        claim,
        'FailedBinding',
        'no persistent volumes available for this claim and no storage class is set',
      )
    const found = await client.get(GVR.storageClasses, undefined, className).catch((error: unknown) => {
      if (hasStatus(error, 404)) return undefined
      throw error
    })
    if (found === undefined)
      return this.#tell(claim, 'ProvisioningFailed', `storageclass.storage.k8s.io "${className}" not found`)
    const { provisioner, reclaimPolicy = 'Delete' } = found as StorageClass
    if (provisioner !== PROVISIONER)
      return this.#tell(
        claim,
        'ExternalProvisioning',
        `waiting for ${provisioner} to create a volume; the sandbox itself creates those of ${PROVISIONER}`,
      )
    if (claim.spec.volumeMode === 'Block')
      return this.#tell(claim, 'ProvisioningFailed', 'the sandbox serves no volumes of mode Block')
    const name = `pvc-${claim.metadata.uid}`
    await mkdir(join(this.#folder, name), { recursive: true, mode: 0o777 })
    const created = await client
      .create(GVR.persistentVolumes, {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
        spec: {
          accessModes: claim.spec.accessModes,
          capacity: { storage: claim.spec.resources?.requests?.['storage'] },
          claimRef: referenceTo(claim),
          hostPath: { path: `${NODE_VOLUMES_FOLDER}/${name}`, type: 'DirectoryOrCreate' },
          persistentVolumeReclaimPolicy: reclaimPolicy,
          storageClassName: className,
          volumeMode: 'Filesystem',
        },
      })
      .catch((error: unknown) => {
        if (hasStatus(error, 409)) return client.get(GVR.persistentVolumes, undefined, name)
        throw error
      })
    this.#event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`)
    return created as PersistentVolume
  }

  /** A volume without its claim is available, released or deleted. */
  async #settle(name: string): Promise<void> {
    const { claims, client, volumes } = this.#components
    const volume = volumes.get(undefined, name)
    if (volume === undefined || volume.metadata.deletionTimestamp !== undefined) return
    const { claimRef } = volume.spec
    const phase = volume.status?.phase ?? ''
    const setPhase = async (next: string): Promise<void> => {
      if (phase !== next)
        await client.patch(GVR.persistentVolumes, undefined, name, { status: { phase: next } }, STATUS)
    }
    if (claimRef === undefined) return await setPhase('Available')
    const claim = claims.get(claimRef.namespace, claimRef.name ?? '')
    if (claimRef.uid === undefined || claim?.metadata.uid === claimRef.uid) return
    // The cache may be behind a claim that was just made: the API server knows.
    const known = await client
      .get(GVR.persistentVolumeClaims, claimRef.namespace, claimRef.name ?? '')
      .catch(() => undefined)
    if (known?.metadata.uid === claimRef.uid) return
    const isOurs = volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER
    if (volume.spec.persistentVolumeReclaimPolicy !== 'Delete' || !isOurs) return await setPhase('Released')
    await client.delete(GVR.persistentVolumes, undefined, name)
    // The name is one we gave: it can't lead elsewhere.
    if (name === `pvc-${claimRef.uid}`) await rm(join(this.#folder, name), { recursive: true, force: true })
  }

  #tell(claim: PersistentVolumeClaim, reason: string, message: string): undefined {
    this.#event(claim, reason === 'ExternalProvisioning' ? 'Normal' : 'Warning', reason, message)
    return undefined
  }

  #event(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const component = 'persistentvolume-controller'
    this.#components.events.event(claim, { type, reason, message, component })
  }
}

const STATUS = { subresource: 'status' } as const

function referenceTo({ metadata }: PersistentVolumeClaim): Readonly<Record<string, unknown>> {
  const { name, namespace, uid } = metadata
  return { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid }
}
