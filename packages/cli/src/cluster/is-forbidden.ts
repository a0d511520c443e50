import { KubeApiError } from '@ambit/kube'

/** Did the API server say that the caller may not? */
export function isForbidden(error: unknown): boolean {
  if (error instanceof KubeApiError) return error.status === 401 || error.status === 403
  return error instanceof Error && error.cause !== undefined && isForbidden(error.cause)
}
