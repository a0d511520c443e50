import type { discoverypb } from '@ambit/api'
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Config } from './config.types.ts'
import { VERSION } from './version.ts'

/** How a waypoint or gateway introduces itself to the control plane (Istio's proxy id and metadata). */
export function nodeMessage(config: Config): MessageInitShape<typeof discoverypb.NodeSchema> {
  const { role, instanceIp, podName, namespace, gateway, identity } = config
  return {
    id: `${role === 'gateway' ? 'router' : 'waypoint'}~${instanceIp}~${podName}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: {
      NAME: podName,
      NAMESPACE: namespace,
      INSTANCE_IPS: instanceIp,
      NODE_NAME: config.nodeName,
      SERVICE_ACCOUNT: identity.serviceAccount,
      // What the controller chooses resources by.
      GATEWAY_NAME: gateway,
      ISTIO_VERSION: VERSION,
      ...(JSON.parse(JSON.stringify(config.nodeMetadata)) as Record<string, string>),
    },
  }
}
