import { messageOf } from '@ambit/core'
import { KubeConfig } from '@kubernetes/client-node'
import { KubeConfigError } from './errors.ts'

export interface KubeConfigSource {
  /** Path of a kubeconfig file (env KUBECONFIG); the pod's own service account when absent. */
  readonly kubeconfig?: string | undefined
  /** Context inside the file; its current one when absent. */
  readonly context?: string | undefined
}

/** How to reach the API server. The in-cluster token is read again at most a minute after it was rotated. */
export function loadKubeConfig(source: KubeConfigSource = {}): KubeConfig {
  const config = new KubeConfig()
  try {
    if (source.kubeconfig) config.loadFromFile(source.kubeconfig)
    else config.loadFromCluster()
  } catch (error) {
    throw new KubeConfigError(
      `cannot read kubeconfig ${source.kubeconfig ?? '(in-cluster)'}: ${messageOf(error)}; check that the file exists and is valid YAML`,
      { cause: error },
    )
  }
  if (source.context) config.setCurrentContext(source.context)
  const server = config.getCurrentCluster()?.server
  if (!server || server.includes('//undefined:')) {
    throw new KubeConfigError(
      source.kubeconfig
        ? `kubeconfig ${source.kubeconfig} names no cluster for context ${config.getCurrentContext()}: check current-context`
        : 'not in a pod (KUBERNETES_SERVICE_HOST is unset) and no kubeconfig given: set KUBECONFIG',
    )
  }
  return config
}
