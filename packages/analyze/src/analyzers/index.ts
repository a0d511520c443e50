import type { Analyzer } from '../message.types.ts'
import { annotations } from './annotations.ts'
import { deprecatedFields } from './deprecated-fields.ts'
import { destinationRuleCertificates } from './destination-rule-certificates.ts'
import { destinationRuleHosts } from './destination-rule-hosts.ts'
import { gatewayApiReferences } from './gateway-api-references.ts'
import { gatewayApiVersions } from './gateway-api-versions.ts'
import { gatewayCertificates } from './gateway-certificates.ts'
import { gatewayConflicts } from './gateway-conflicts.ts'
import { gatewayCredentials } from './gateway-credentials.ts'
import { gatewayPodSelectors } from './gateway-pod-selectors.ts'
import { gatewaySelectors } from './gateway-selectors.ts'
import { ineffectivePolicies } from './ineffective-policies.ts'
import { ingressSubsets } from './ingress-subsets.ts'
import { jwksNetworks } from './jwks-networks.ts'
import { jwtClaimRoutes } from './jwt-claim-routes.ts'
import { namespaceLabels } from './namespace-labels.ts'
import { negativeConditions } from './negative-conditions.ts'
import { policyNamespaces } from './policy-namespaces.ts'
import { policyWorkloads } from './policy-workloads.ts'
import { portNames } from './port-names.ts'
import { routeConflicts } from './route-conflicts.ts'
import { serviceEntryAddresses } from './service-entry-addresses.ts'
import { serviceEntryProtocols } from './service-entry-protocols.ts'
import { telemetryProviders, telemetrySelectors } from './telemetry.ts'
import { validation } from './validation.ts'
import { virtualServiceDestinations } from './virtual-service-destinations.ts'
import { virtualServiceGateways } from './virtual-service-gateways.ts'
import { virtualServiceHosts } from './virtual-service-hosts.ts'
import { virtualServiceRules } from './virtual-service-rules.ts'
import { waypointReferences } from './waypoint-references.ts'
import { webhooks } from './webhooks.ts'

/** All of them, by name. */
export const ANALYZERS: readonly Analyzer[] = [
  annotations,
  deprecatedFields,
  destinationRuleCertificates,
  destinationRuleHosts,
  gatewayApiReferences,
  gatewayApiVersions,
  gatewayCertificates,
  gatewayConflicts,
  gatewayCredentials,
  gatewayPodSelectors,
  gatewaySelectors,
  ineffectivePolicies,
  ingressSubsets,
  jwksNetworks,
  jwtClaimRoutes,
  namespaceLabels,
  negativeConditions,
  policyNamespaces,
  policyWorkloads,
  portNames,
  routeConflicts,
  serviceEntryAddresses,
  serviceEntryProtocols,
  telemetryProviders,
  telemetrySelectors,
  validation,
  virtualServiceDestinations,
  virtualServiceGateways,
  virtualServiceHosts,
  virtualServiceRules,
  waypointReferences,
  webhooks,
].toSorted((a, b) => (a.name < b.name ? -1 : 1))
