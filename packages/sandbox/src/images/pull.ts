import type { Clock } from '@ambit/core'
import { LIMITS } from '../limits.ts'
import { type CatalogueOptions, type ImageProgram, imageName, KNOWN_IMAGES, resolveImage } from './catalogue.ts'

/** What a container's state and an event say while its image can't be had, in the words of Kubernetes. */
export interface PullFailure {
  readonly reason: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName'
  readonly message: string
  readonly event: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string }
}

const REFERENCE = /^[a-z0-9][a-z0-9._:-]*(?:\/[a-z0-9][a-z0-9._-]*)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+:[0-9a-f]+)?$/i

/** Waits, with the pauses and words of Kubernetes, until an image name means something; rejects when aborted. */
export async function pullImage(o: {
  readonly reference: string
  /** imagePullPolicy. */
  readonly policy: string | undefined
  readonly catalogue: CatalogueOptions
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onFailure: (failure: PullFailure) => void
}): Promise<ImageProgram> {
  let delayMs: number = LIMITS.crashBackoffInitialMs
  for (let isFirst = true; ; isFirst = false) {
    const image = resolveImage(o.reference, o.catalogue)
    if (image !== undefined) return image
    o.onFailure(failureOf(o.reference, o.policy, isFirst))
    await Promise.race([o.clock.sleep(delayMs, o.signal), o.catalogue.loaded?.changed ?? new Promise(() => undefined)])
    o.signal.throwIfAborted()
    delayMs = Math.min(delayMs * 2, LIMITS.crashBackoffMaxMs)
  }
}

export function failureOf(reference: string, policy: string | undefined, isFirst: boolean): PullFailure {
  if (!REFERENCE.test(reference)) {
    const message = `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": invalid reference format`
    return { reason: 'InvalidImageName', message, event: { type: 'Warning', reason: 'InspectFailed', message } }
  }
  if (policy === 'Never') {
    const message = `Container image "${reference}" is not present with pull policy of Never`
    return { reason: 'ErrImageNeverPull', message, event: { type: 'Warning', reason: 'ErrImageNeverPull', message } }
  }
  const why =
    `the sandbox runs programs instead of images and knows none for "${reference}"; give it one: ` +
    `ambit sandbox load ${imageName(reference)}=COMMAND. It knows: ${KNOWN_IMAGES.join(', ')}`
  if (isFirst) {
    const message = `Failed to pull image "${reference}": ${why}`
    return { reason: 'ErrImagePull', message: why, event: { type: 'Warning', reason: 'Failed', message } }
  }
  const backOff = `Back-off pulling image "${reference}"`
  const event = { type: 'Normal', reason: 'BackOff', message: backOff } as const
  return { reason: 'ImagePullBackOff', message: `${backOff}: ErrImagePull: ${why}`, event }
}
