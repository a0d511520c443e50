import { hostname } from 'node:os'
import { aborted, type Clock, type Logger } from '@ambit/core'
import { KINDS, type KubeClient, LeaderElection, type ReadonlyObjectSet, StatusWriter, watchObjects } from '@ambit/kube'
import type { Authority } from './ca/authority.ts'
import { type ConfigMap, keepRootCertificates, ROOT_CERT_NAME } from './ca/root-cert-config-map.ts'
import type { ControllerConfig } from './config.ts'
import { GatewayInputs } from './gateway/gateway-inputs.ts'
import { keepDeployed } from './gateway/keep-deployed.ts'
import { keepGatewayClasses } from './gateway/keep-gateway-classes.ts'
import { keepGatewayStatus } from './gateway/keep-gateway-status.ts'
import type { MeshIndex } from './index/mesh-index.ts'
import { keepAllocated } from './status/ip-autoallocate.ts'
import { keepStatus } from './status/status-sync.ts'
import { keepWebhooks } from './validation/keep-webhooks.ts'
import type { ClusterWatch } from './watch/watch-cluster.ts'

/** What only one replica does. Lease names are Istio's, so that an upgrade hands over cleanly. */
export async function startLeaderWork(parts: {
  readonly config: ControllerConfig
  readonly client: KubeClient
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
  readonly authority: Authority
  readonly cluster: ClusterWatch
  readonly index: MeshIndex
  readonly meshConfigs: ReadonlyObjectSet<ConfigMap>
}): Promise<void> {
  const { config, client, clock, signal, authority, cluster, index, meshConfigs } = parts
  const logger = parts.logger.scope('leader')
  const identity = config.podName || hostname()
  const elect = (name: string, lead: (leading: AbortSignal) => Promise<void> | void): Promise<void> =>
    new LeaderElection({ client, clock, logger }, { namespace: config.namespace, name, identity }).run(signal, lead)
  const work = [
    elect('istio-namespace-controller-election', async (leading) => {
      const configMaps = watchObjects<ConfigMap>({
        client,
        kind: KINDS.configMap,
        fieldSelector: `metadata.name=${ROOT_CERT_NAME}`,
        signal: leading,
        logger,
      })
      const parts = {
        client,
        authority: authority.current,
        namespaces: cluster.sets.namespace,
        configMaps,
        clock,
        logger,
      }
      await keepRootCertificates(parts, leading)
    }),
  ]
  work.push(
    elect('istio-validation-controller-election', async (leading) => {
      const configurations = watchObjects({ client, kind: KINDS.validatingWebhook, signal: leading, logger })
      await keepWebhooks({ client, configurations, authority: authority.current, clock, logger }, config, leading)
    }),
  )
  if (config.statusEnabled) {
    work.push(
      elect('istio-status-leader', async (leading) => {
        using writer = new StatusWriter({ client, clock, logger })
        keepStatus({ index, cluster, writer, clock }, leading)
        await aborted(leading)
      }),
    )
  }
  if (config.ipAutoallocate) {
    work.push(
      elect('istio-ip-autoallocate', async (leading) => {
        using writer = new StatusWriter({ client, clock, logger })
        keepAllocated(
          { entries: cluster.sets.serviceEntry, covers: (entry) => cluster.covers(entry), writer, logger },
          leading,
        )
        await aborted(leading)
      }),
    )
  }
  if (config.deployGateways || config.statusEnabled) {
    const inputs = new GatewayInputs({ config, client, cluster, index, meshConfigs, logger }, signal)
    if (config.deployGateways)
      work.push(
        elect(`istio-gateway-deployment-${config.revision}`, async (leading) => {
          using writer = new StatusWriter({ client, clock, logger })
          const classes = cluster.sets.gatewayClass
          await Promise.all([
            keepGatewayClasses({ client, classes, writer, clock, logger }, leading),
            keepDeployed({ inputs, client, clock, logger }, leading),
          ])
        }),
      )
    if (config.statusEnabled)
      work.push(
        elect('istio-gateway-status-leader', async (leading) => {
          using writer = new StatusWriter({ client, clock, logger })
          const { sets } = cluster
          await keepGatewayStatus({ inputs, index, sets, writer, domain: config.domain, clock, logger }, leading)
        }),
      )
  }
  await Promise.all(work)
}
