/** Worst first. */
export type Level = 'Error' | 'Warning' | 'Info'
export const LEVELS: readonly Level[] = ['Error', 'Warning', 'Info']

export type Code = `IST${string}`

export interface CodeFacts {
  readonly level: Level
  readonly name: string
  /** `analyze`: found here. `precheck`: by `ambit x precheck`. `sidecar`, `absent`: about what this mesh has not. */
  readonly by: 'analyze' | 'precheck' | 'sidecar' | 'absent'
}

const found = (level: Level, name: string, by: CodeFacts['by'] = 'analyze'): CodeFacts => ({ level, name, by })

/** Codes, levels and names are Istio's: users look them up. */
export const CODES: Readonly<Record<Code, CodeFacts>> = {
  IST0001: found('Error', 'InternalError'),
  IST0002: found('Warning', 'Deprecated'),
  IST0101: found('Error', 'ReferencedResourceNotFound'),
  IST0102: found('Info', 'NamespaceNotInjected'),
  IST0103: found('Warning', 'PodMissingProxy'),
  IST0106: found('Error', 'SchemaValidationError'),
  IST0107: found('Warning', 'MisplacedAnnotation'),
  IST0108: found('Warning', 'UnknownAnnotation'),
  IST0109: found('Error', 'ConflictingMeshGatewayVirtualServiceHosts'),
  IST0110: found('Error', 'ConflictingSidecarWorkloadSelectors', 'sidecar'),
  IST0111: found('Error', 'MultipleSidecarsWithoutWorkloadSelectors', 'sidecar'),
  IST0112: found('Error', 'VirtualServiceDestinationPortSelectorRequired'),
  IST0116: found('Warning', 'DeploymentAssociatedToMultipleServices', 'sidecar'),
  IST0118: found('Info', 'PortNameIsNotUnderNamingConvention'),
  IST0123: found('Warning', 'NamespaceMultipleInjectionLabels'),
  IST0125: found('Warning', 'InvalidAnnotation'),
  IST0126: found('Error', 'UnknownMeshNetworksServiceRegistry', 'absent'),
  IST0127: found('Warning', 'NoMatchingWorkloadsFound'),
  IST0128: found('Warning', 'NoServerCertificateVerificationDestinationLevel'),
  IST0129: found('Warning', 'NoServerCertificateVerificationPortLevel'),
  IST0130: found('Warning', 'VirtualServiceUnreachableRule'),
  IST0131: found('Info', 'VirtualServiceIneffectiveMatch'),
  IST0132: found('Warning', 'VirtualServiceHostNotFoundInGateway'),
  IST0133: found('Warning', 'SchemaWarning'),
  IST0134: found('Warning', 'ServiceEntryAddressesRequired'),
  IST0135: found('Info', 'DeprecatedAnnotation'),
  IST0136: found('Info', 'AlphaAnnotation'),
  IST0137: found('Warning', 'DeploymentConflictingPorts', 'sidecar'),
  IST0138: found('Warning', 'GatewayDuplicateCertificate'),
  IST0139: found('Error', 'InvalidWebhook'),
  IST0140: found('Warning', 'IngressRouteRulesNotAffected'),
  IST0141: found('Error', 'InsufficientPermissions', 'precheck'),
  IST0142: found('Error', 'UnsupportedKubernetesVersion', 'precheck'),
  IST0143: found('Error', 'LocalhostListener', 'sidecar'),
  IST0144: found('Warning', 'InvalidApplicationUID', 'sidecar'),
  IST0145: found('Error', 'ConflictingGateways'),
  IST0146: found('Warning', 'ImageAutoWithoutInjectionWarning', 'sidecar'),
  IST0147: found('Error', 'ImageAutoWithoutInjectionError', 'sidecar'),
  IST0148: found('Info', 'NamespaceInjectionEnabledByDefault', 'sidecar'),
  IST0149: found('Error', 'JwtClaimBasedRoutingWithoutRequestAuthN'),
  IST0150: found('Warning', 'ExternalNameServiceTypeInvalidPortName'),
  IST0151: found('Warning', 'EnvoyFilterUsesRelativeOperation', 'sidecar'),
  IST0152: found('Error', 'EnvoyFilterUsesReplaceOperationIncorrectly', 'sidecar'),
  IST0153: found('Error', 'EnvoyFilterUsesAddOperationIncorrectly', 'sidecar'),
  IST0154: found('Error', 'EnvoyFilterUsesRemoveOperationIncorrectly', 'sidecar'),
  IST0155: found('Warning', 'EnvoyFilterUsesRelativeOperationWithProxyVersion', 'sidecar'),
  IST0156: found('Error', 'UnsupportedGatewayAPIVersion'),
  IST0157: found('Warning', 'InvalidTelemetryProvider'),
  IST0158: found('Warning', 'PodsIstioProxyImageMismatchInNamespace', 'sidecar'),
  IST0159: found('Error', 'ConflictingTelemetryWorkloadSelectors'),
  IST0160: found('Error', 'MultipleTelemetriesWithoutWorkloadSelectors'),
  IST0161: found('Error', 'InvalidGatewayCredential'),
  IST0162: found('Warning', 'GatewayPortNotDefinedOnService'),
  IST0163: found('Warning', 'InvalidExternalControlPlaneConfig', 'sidecar'),
  IST0164: found('Info', 'ExternalControlPlaneAddressIsNotAHostname', 'sidecar'),
  IST0165: found('Warning', 'ReferencedInternalGateway'),
  IST0166: found('Warning', 'IneffectiveSelector'),
  IST0167: found('Warning', 'IneffectivePolicy'),
  IST0168: found('Warning', 'UnknownUpgradeCompatibility', 'absent'),
  IST0169: found('Warning', 'UpdateIncompatibility', 'absent'),
  IST0170: found('Warning', 'MultiClusterInconsistentService', 'absent'),
  IST0171: found('Warning', 'NegativeConditionStatus'),
  IST0172: found('Warning', 'FutureUnsupportedGatewayAPIVersion'),
  IST0173: found('Error', 'DestinationRuleSubsetNotSelectPods'),
  IST0174: found('Warning', 'UnknownDestinationRuleHost'),
  IST0175: found('Warning', 'JwksUriFetchUnrestricted'),
  IST0176: found('Warning', 'GatewayAPICRDVersionBelowMinimum'),
  IST0177: found('Warning', 'ConflictingServiceEntryProtocol'),
}

export function isCode(text: string): text is Code {
  return Object.hasOwn(CODES, text)
}
