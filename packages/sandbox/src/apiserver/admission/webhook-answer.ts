import { arrayOf, at, isObject, type JsonObject } from '../json.ts'
import { StatusError } from '../status-error.ts'

/** Longest reason of a webhook that is repeated to the client. */
const MAX_REASON = 4096

export type WebhookAnswer =
  | { readonly kind: 'allowed'; readonly patch: unknown; readonly warnings: readonly string[] }
  | { readonly kind: 'denied'; readonly error: StatusError; readonly warnings: readonly string[] }
  | { readonly kind: 'unreadable'; readonly why: string }

/** What a webhook's AdmissionReview says; an answer to another question is none. */
export function readWebhookAnswer(webhook: string, uid: unknown, review: unknown): WebhookAnswer {
  const response = at(review, 'response')
  if (at(review, 'kind') !== 'AdmissionReview' || at(review, 'apiVersion') !== 'admission.k8s.io/v1')
    return { kind: 'unreadable', why: 'expected a webhook response of admission.k8s.io/v1, kind AdmissionReview' }
  if (!isObject(response)) return { kind: 'unreadable', why: 'webhook response was absent' }
  if (response['uid'] !== uid) return { kind: 'unreadable', why: 'expected response.uid to be that of the request' }
  if (typeof response['allowed'] !== 'boolean') return { kind: 'unreadable', why: 'response.allowed must be a boolean' }
  const warnings = arrayOf(response['warnings']).filter((item) => typeof item === 'string')
  if (!response['allowed']) return { kind: 'denied', error: denial(webhook, response), warnings }
  const { patch, patchType } = response
  if (patch === undefined) return { kind: 'allowed', patch: undefined, warnings }
  if (patchType !== 'JSONPatch' || typeof patch !== 'string')
    return { kind: 'unreadable', why: 'a patch must be base64 of patchType JSONPatch' }
  try {
    return { kind: 'allowed', patch: JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) as unknown, warnings }
  } catch {
    return { kind: 'unreadable', why: 'the patch is not JSON' }
  }
}

function denial(webhook: string, response: JsonObject): StatusError {
  const status = response['status']
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, MAX_REASON) : '')
  const message = text(at(status, 'message'))
  const reason = text(at(status, 'reason'))
  const code = Number(at(status, 'code') ?? 0)
  const by = `admission webhook "${webhook}" denied the request`
  const why = message || reason
  return new StatusError(
    Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400,
    reason,
    why === '' ? `${by} without explanation` : `${by}: ${why}`,
  )
}
