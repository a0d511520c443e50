export * from './authorization.types.ts'
export { checkInboundDestination, type InboundRequest, type InboundVerdict } from './check-inbound-destination.ts'
export { compileCidr } from './cidr-match.ts'
export { type Address, decodeAddress } from './decode-address.ts'
export { type DecodedAuthorization, decodeAuthorization } from './decode-authorization.ts'
export { dumpPolicy, dumpService, dumpState, dumpWorkload } from './dump.ts'
export { EMPTY_MATCH } from './empty-match.ts'
export { LOCAL_WORKLOAD_WAIT_MS } from './limits.ts'
export { type CandidatePolicies, type PolicyLookup, PolicyStore } from './policy-store.ts'
export type { Decoded, Rejection, RejectionCode } from './rejection.ts'
export type * from './resolution.types.ts'
export {
  resolveIngress,
  resolveOutbound,
  resolveWorkload,
  type WorkloadTarget,
  withResolvedAddress,
} from './resolve-outbound.ts'
export { formatGateway } from './resolve-waypoint.ts'
export type * from './resources.types.ts'
export { endpointCandidates, preferred, type SelectedEndpoint, servicePortChoice } from './select-endpoint.ts'
export { isVisible } from './vip-index.ts'
export { CredentialStore } from './waypoint/credential-store.ts'
export { decodeDestination, destinationName } from './waypoint/decode-destination.ts'
export { type DecodedHttpAuthorization, decodeHttpAuthorization } from './waypoint/decode-http-authorization.ts'
export { decodeSettings } from './waypoint/decode-settings.ts'
export type * from './waypoint/destination.types.ts'
export * from './waypoint/destination-store.ts'
export * from './waypoint/find-destination.ts'
export type * from './waypoint/http-authorization.types.ts'
export { type HttpPolicySource, HttpPolicyStore } from './waypoint/http-policy-store.ts'
export type * from './waypoint/listener.types.ts'
export * from './workload.types.ts'
export * from './workload-store.ts'
