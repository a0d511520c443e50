import type { KubeObject } from '@ambit/kube'
import type { InputKind, Inputs } from '../index/mesh-state.ts'
import { decodeAuthorizationPolicy } from './decode-authorization-policy.ts'
import { decodeDestinationRule } from './decode-destination-rule.ts'
import { decodeIstioGateway } from './decode-istio-gateway.ts'
import { decodePeerAuthentication } from './decode-peer-authentication.ts'
import { podOf } from './decode-pod.ts'
import { decodeRequestAuthentication } from './decode-request-authentication.ts'
import { decodeGrpcRoute, decodeHttpRoute, decodeReferenceGrant } from './decode-route.ts'
import { decodeEndpointSlice, decodeService } from './decode-service.ts'
import { decodeServiceEntry, decodeWorkloadEntry } from './decode-service-entry.ts'
import { decodeGateway } from './decode-topology.ts'
import { decodeVirtualService } from './decode-virtual-service.ts'

/** Secrets are looked for one by one, not by kind. */
export type ListedKind = Exclude<InputKind, 'credentials'>

export type InputDecoders = { readonly [K in ListedKind]: (object: KubeObject) => Inputs[K] | undefined }

/** How the objects of each kind are read, whoever hands them over. */
export function inputDecoders(domain: string): InputDecoders {
  return {
    gateways: decodeGateway,
    istioGateways: decodeIstioGateway,
    services: (object) => decodeService(object, domain),
    serviceEntries: decodeServiceEntry,
    workloadEntries: decodeWorkloadEntry,
    slices: decodeEndpointSlice,
    policies: decodeAuthorizationPolicy,
    authentications: decodePeerAuthentication,
    requestAuthentications: decodeRequestAuthentication,
    virtualServices: (object) => decodeVirtualService(object, domain),
    destinationRules: (object) => decodeDestinationRule(object, domain),
    httpRoutes: decodeHttpRoute,
    grpcRoutes: decodeGrpcRoute,
    grants: decodeReferenceGrant,
    pods: podOf,
  }
}
