import type { discoverypb } from '@ambit/api'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Config } from './config.types.ts'

/** How ztunnel introduces itself to the control plane (Istio's proxy id and metadata). */
export function nodeMessage(config: Config): MessageInitShape<typeof discoverypb.NodeSchema> {
  const { instanceIp, podName, podNamespace } = config
  return {
    // The last part is literal whatever the cluster's domain is.
    id: `ztunnel~${instanceIp}~${podName}.${podNamespace}~${podNamespace}.svc.cluster.local`,
    metadata: {
      NAME: podName,
      NAMESPACE: podNamespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: config.nodeName,
      ...(JSON.parse(JSON.stringify(config.nodeMetadata)) as Record<string, string>),
    },
  }
}
