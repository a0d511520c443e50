import type { ValueMap } from '@ambit/chart'
import { SettingError } from '../errors.ts'
import { meant, textOf } from './settings.ts'

/** Fields of Istio's MeshConfig; those that this mesh doesn't follow are kept for the tools that read its ConfigMap. */
const FIELDS: readonly string[] = [
  'accessLogEncoding',
  'accessLogFile',
  'accessLogFormat',
  'ca',
  'caCertificates',
  'certificates',
  'configSources',
  'connectTimeout',
  'defaultConfig',
  'defaultDestinationRuleExportTo',
  'defaultHttpRetryPolicy',
  'defaultProviders',
  'defaultServiceExportTo',
  'defaultVirtualServiceExportTo',
  'disableEnvoyListenerLog',
  'discoverySelectors',
  'dnsRefreshRate',
  'enableAutoMtls',
  'enableEnvoyAccessLogService',
  'enablePrometheusMerge',
  'enableTracing',
  'extensionProviders',
  'h2UpgradePolicy',
  'hboneIdleTimeout',
  'inboundClusterStatName',
  'inboundTrafficPolicy',
  'ingressClass',
  'ingressControllerMode',
  'ingressSelector',
  'ingressService',
  'localityLbSetting',
  'meshMTLS',
  'outboundClusterStatName',
  'outboundTrafficPolicy',
  'pathNormalization',
  'protocolDetectionTimeout',
  'proxyHttpPort',
  'proxyInboundListenPort',
  'proxyListenPort',
  'rootNamespace',
  'serviceEntryVisibility',
  'serviceScopeConfigs',
  'serviceSettings',
  'tcpKeepalive',
  'tlsDefaults',
  'trustDomain',
  'trustDomainAliases',
  'verifyCertificateAtClient',
]

/** Refuses what istiod would pass over, or for which it would keep its old settings, with a line in its log. */
export function refuseWrongMesh(mesh: ValueMap): void {
  for (const key of mesh.keys()) {
    if (!FIELDS.includes(key))
      throw new SettingError(`meshConfig.${key} is unknown${meant(FIELDS, key)} --force installs in spite of it`)
  }
  for (const key of ['trustDomain', 'rootNamespace']) {
    const value = mesh.get(key)
    if (value !== undefined && value !== null && !/^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$/.test(textOf(value)))
      throw new SettingError(`meshConfig.${key} can't be "${textOf(value)}": it is a name, such as cluster.local`)
  }
}
