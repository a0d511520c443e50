import { AmbitError } from '@ambit/core'

export interface StatusCause {
  readonly reason: string
  readonly message: string
  readonly field?: string | undefined
}

export interface StatusDetails {
  readonly name?: string | undefined
  readonly group?: string | undefined
  readonly kind?: string | undefined
  readonly uid?: string | undefined
  readonly causes?: readonly StatusCause[] | undefined
  readonly retryAfterSeconds?: number | undefined
}

/** A failure as the Kubernetes API words it; over HTTP it becomes a `Status` body with this code. */
export class StatusError extends AmbitError {
  readonly code: string
  readonly status: number
  readonly reason: string
  readonly details: StatusDetails | undefined

  constructor(status: number, reason: string, message: string, details?: StatusDetails) {
    super(message)
    this.status = status
    this.reason = reason
    this.code = `KUBE_${reason.toUpperCase()}`
    this.details = details
  }

  /** The `Status` object of meta/v1. */
  toStatus(): Record<string, unknown> {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.status,
    }
  }
}

/** True for a `StatusError` with that HTTP code. */
export function hasStatus(error: unknown, status: number): boolean {
  return error instanceof StatusError && error.status === status
}

function qualified(resource: string, group: string): string {
  return group === '' ? resource : `${resource}.${group}`
}

export function notFound(group: string, resource: string, name: string): StatusError {
  const details: StatusDetails = { name, ...(group === '' ? {} : { group }), kind: resource }
  return new StatusError(404, 'NotFound', `${qualified(resource, group)} "${name}" not found`, details)
}

export function alreadyExists(group: string, resource: string, name: string): StatusError {
  const details: StatusDetails = { name, ...(group === '' ? {} : { group }), kind: resource }
  return new StatusError(409, 'AlreadyExists', `${qualified(resource, group)} "${name}" already exists`, details)
}

export function conflict(group: string, resource: string, name: string, why: string): StatusError {
  const details: StatusDetails = { name, ...(group === '' ? {} : { group }), kind: resource }
  const message = `Operation cannot be fulfilled on ${qualified(resource, group)} "${name}": ${why}`
  return new StatusError(409, 'Conflict', message, details)
}

export const STALE_OBJECT =
  'the object has been modified; please apply your changes to the latest version and try again'

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

export function forbidden(group: string, resource: string, name: string, why: string): StatusError {
  const details: StatusDetails = { name, ...(group === '' ? {} : { group }), kind: resource }
  return new StatusError(403, 'Forbidden', `${qualified(resource, group)} "${name}" is forbidden: ${why}`, details)
}

/** 410: the caller has to list again. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message)
}

/** 404 for a path that isn't served at all. */
export function noSuchResource(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

/** 422 with one cause per finding, worded as kubectl users know it. */
export function invalid(group: string, kind: string, name: string, causes: readonly StatusCause[]): StatusError {
  const texts = causes.map((cause) => (cause.field === undefined ? cause.message : `${cause.field}: ${cause.message}`))
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const details: StatusDetails = { name, ...(group === '' ? {} : { group }), kind, causes }
  return new StatusError(422, 'Invalid', `${qualified(kind, group)} "${name}" is invalid: ${list}`, details)
}
