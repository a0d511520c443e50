import { isRecord, record, text } from '../watch/json.ts'
import { VALIDATED_KINDS, validateObject } from './validate-object.ts'

/** Kubernetes cuts each at 256 characters and all at 4096. */
const MAX_WARNINGS = 16
const MAX_WARNING = 256
/** Problems that are named; an object with more has enough to begin with. */
const MAX_ERRORS = 20

export interface ReviewVerdict {
  /** The answer, an `AdmissionReview`; undefined: the question was none. */
  readonly answer: object | undefined
  readonly allowed: boolean
  /** `group/kind` where it is one that is looked at, for metrics. */
  readonly kind: string
}

/** Answers an `AdmissionReview` of `admission.k8s.io/v1`. */
export function review(question: unknown): ReviewVerdict {
  const { apiVersion, kind, request } = record(question)
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview' || !isRecord(request))
    return { answer: undefined, allowed: false, kind: 'none' }
  const { uid, operation, object } = request
  const about = record(request['kind'])
  const name = `${text(about['group']) ?? ''}/${text(about['kind']) ?? ''}`
  const known = VALIDATED_KINDS.includes(name) ? name : 'other'
  const answerOf = (response: object): object => ({ apiVersion, kind, response: { uid: text(uid) ?? '', ...response } })
  if (operation !== 'CREATE' && operation !== 'UPDATE')
    return { answer: answerOf({ allowed: true }), allowed: true, kind: known }
  const { errors, warnings } = validateObject(record(object))
  const allowed = errors.length === 0
  const response = {
    allowed,
    ...(allowed ? {} : { status: { code: 400, reason: 'BadRequest', message: messageOf(errors) } }),
    ...(warnings.length === 0 ? {} : { warnings: warnings.slice(0, MAX_WARNINGS).map(short) }),
  }
  return { answer: answerOf(response), allowed, kind: known }
}

function messageOf(errors: readonly string[]): string {
  const named = errors.slice(0, MAX_ERRORS).join('; ')
  const more = errors.length > MAX_ERRORS ? `; and ${errors.length - MAX_ERRORS} more` : ''
  return `configuration is invalid: ${named}${more}`
}

function short(warning: string): string {
  return warning.length <= MAX_WARNING ? warning : `${warning.slice(0, MAX_WARNING - 1)}…`
}
