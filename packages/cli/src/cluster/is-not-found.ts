import { KubeApiError } from '@ambit/kube'
import { NotServedError } from '../errors.ts'

/** Did the API server say that the object, its namespace or its kind does not exist? */
export function isNotFound(error: unknown): boolean {
  if (error instanceof NotServedError) return true
  if (error instanceof KubeApiError) return error.status === 404
  return error instanceof Error && error.cause !== undefined && isNotFound(error.cause)
}
