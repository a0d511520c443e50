import type { AnyObject, Sourced } from '@ambit/analyze'
import { list, record } from '@ambit/analyze'
import { classOf, decodeGatewayRequest, type InstallSettings, renderGateway } from '@ambit/controller/judgement'
import type { ObjectSet } from './overlay.ts'

/** What does not change who may speak to whom. */
const SETTINGS: InstallSettings = {
  image: 'proxyv2',
  imagePullPolicy: undefined,
  imagePullSecrets: [],
  revision: 'default',
  clusterId: 'Kubernetes',
  domain: 'cluster.local',
  network: '',
  meshId: '',
  trustDomain: 'cluster.local',
  caAddress: '',
  proxyConfig: {},
  proxyMetadata: {},
  logLevel: '',
  componentLogLevel: '',
  logging: '',
  logAsJson: false,
  resources: {},
  gatewayResources: {},
  placement: {},
}

/** A Gateway of a file, and the objects that the control plane would deploy for it. */
export interface DeployedGateway {
  readonly gateway: Sourced
  readonly objects: readonly AnyObject[]
  /** The Service whose address the Gateway gets. */
  readonly service: { readonly namespace: string; readonly name: string }
}

/** Gateways of files for which nothing runs yet. */
export function deployedGateways(set: ObjectSet): readonly DeployedGateway[] {
  const classes = set.get('gateway.networking.k8s.io/GatewayClass')
  return [...(set.get('gateway.networking.k8s.io/Gateway')?.values() ?? [])].flatMap((gateway) => {
    const { object, place } = gateway
    if (place === undefined || list(record(object.status)['addresses']).length > 0) return []
    const request = decodeGatewayRequest(object)
    const deploys = classOf(request.className, classes?.get(`/${request.className}`)?.object)?.deploys
    if (deploys === undefined || request.addresses.length > 0) return []
    const rendered = renderGateway(request, deploys, SETTINGS, undefined)
    const { service, deployment } = rendered
    const { namespace, name } = service.metadata
    const objects = [service, deployment] as unknown as readonly AnyObject[]
    return [{ gateway, objects, service: { namespace, name } }]
  })
}
