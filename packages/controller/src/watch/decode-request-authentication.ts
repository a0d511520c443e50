import type { KubeObject } from '@ambit/kube'
import type { RequestAuthentication } from '../domain.types.ts'
import { decodeMeta, specOf } from './decode-meta.ts'
import { decodeSelector } from './decode-peer-authentication.ts'
import { decodeTargetRefs, targetOfSelector } from './decode-target-refs.ts'

/** Only what it is attached to: which tokens are good is not checked here. */
export function decodeRequestAuthentication(object: KubeObject): RequestAuthentication {
  const spec = specOf(object)
  const refs = decodeTargetRefs(spec)
  const selector = decodeSelector(spec['selector'])
  const selected = refs.length === 0 ? targetOfSelector(selector) : undefined
  return {
    ...decodeMeta(object),
    selector: selected === undefined ? selector : undefined,
    targetRefs: selected === undefined ? refs : [selected],
  }
}
