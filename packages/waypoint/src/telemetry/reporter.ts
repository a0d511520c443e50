import type { FlowReporter } from '@ambit/flow'
import type { Config } from '../config.types.ts'

/** This proxy, as flows name it. */
export function reporterOf({ role, namespace, podName, nodeName, gateway }: Config): FlowReporter {
  return { kind: role, pod: `${namespace}/${podName}`, node: nodeName, gateway: `${namespace}/${gateway}` }
}
