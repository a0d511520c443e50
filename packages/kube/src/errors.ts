import { AmbitError } from '@ambit/core'

/** The API server answered with a failure. `status` is the HTTP status, `reason` Kubernetes' machine-readable word. */
export class KubeApiError extends AmbitError {
  readonly code = 'KUBE_API'
  readonly status: number
  readonly reason: string

  constructor(message: string, status: number, reason: string) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

/** The API server could not be reached or broke off. */
export class KubeConnectionError extends AmbitError {
  readonly code = 'KUBE_CONNECTION'
}

/** The API server's answer is not what the API promises. */
export class KubeAnswerError extends AmbitError {
  readonly code = 'KUBE_ANSWER'
}

/** No usable configuration of how to reach the API server. */
export class KubeConfigError extends AmbitError {
  readonly code = 'KUBE_CONFIG'
}

/** HTTP status of an answer of the API server, undefined for every other failure. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof KubeApiError ? error.status : undefined
}
