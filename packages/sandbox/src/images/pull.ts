import type { Clock } from '@ambit/core'
import { LIMITS } from '../limits.ts'
import { type CatalogueOptions, type ImageProgram, KNOWN_IMAGES, resolveImage } from './catalogue.ts'

/** Waits, with the pauses and words of Kubernetes, until an image name means something; rejects when aborted. */
export async function pullImage(o: {
  readonly reference: string
  readonly catalogue: CatalogueOptions
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onFailure: (reason: 'ErrImagePull' | 'ImagePullBackOff', message: string) => void
}): Promise<ImageProgram> {
  let reason: 'ErrImagePull' | 'ImagePullBackOff' = 'ErrImagePull'
  let delayMs: number = LIMITS.crashBackoffInitialMs
  for (;;) {
    const image = resolveImage(o.reference, o.catalogue)
    if (image !== undefined) return image
    const known = KNOWN_IMAGES.join(', ')
    o.onFailure(
      reason,
      `the sandbox runs programs instead of images and knows none for "${o.reference}"; it knows: ${known}`,
    )
    await o.clock.sleep(delayMs, o.signal)
    delayMs = Math.min(delayMs * 2, LIMITS.crashBackoffMaxMs)
    reason = 'ImagePullBackOff'
  }
}
