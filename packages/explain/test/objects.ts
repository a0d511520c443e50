import { readDocuments, type Sourced } from '@ambit/analyze'
import { MeshModel } from '../src/index.ts'

/** Objects of YAML that must be readable, as if they stood in a file. */
export function fromFile(yaml: string): readonly Sourced[] {
  const { objects, problems } = readDocuments('mesh.yaml', yaml, 'default')
  if (problems.length > 0) throw new Error(JSON.stringify(problems))
  return objects
}

export function modelOf(...parts: readonly string[]): MeshModel {
  return MeshModel.of({ objects: fromFile(parts.join('\n---\n')) })
}

export const AMBIENT = 'istio.io/dataplane-mode: ambient'

export function namespace(name: string, ...labels: readonly string[]): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {${labels.join(', ')}}}`
}

export interface DeploymentShape {
  readonly labels?: string
  readonly port?: number
  readonly hostNetwork?: boolean
}

/** A Deployment whose pods run as the account of its name. */
export function deployment(
  place: string,
  name: string,
  { labels = '', port, hostNetwork = false }: DeploymentShape = {},
): string {
  const ports = port === undefined ? '' : `, ports: [{containerPort: ${port}}]`
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${place}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}${labels === '' ? '' : `, ${labels}`}}}
    spec: {serviceAccountName: ${name}, hostNetwork: ${hostNetwork}, containers: [{name: main${ports}}]}`
}

export interface ServiceShape {
  readonly labels?: string
  readonly selector?: string
  readonly ports?: string
  readonly more?: string
}

export function service(place: string, name: string, shape: ServiceShape = {}): string {
  const {
    labels = '',
    selector = `app: ${name}`,
    ports = '{name: http, port: 80, targetPort: 8080}',
    more = '',
  } = shape
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${place}, labels: {${labels}}}
spec: {selector: {${selector}}, ports: [${ports}]${more === '' ? '' : `, ${more}`}}`
}

export function waypoint(place: string, name: string = 'waypoint'): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: ${place}, labels: {istio.io/waypoint-for: all}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}`
}

export function policy(place: string, name: string, spec: unknown, annotations: object = {}): string {
  return security('AuthorizationPolicy', place, name, spec, annotations)
}

export function security(kind: string, place: string, name: string, spec: unknown, annotations: object = {}): string {
  return JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind,
    metadata: { name, namespace: place, annotations },
    spec,
  })
}

export const onService = (name: string): unknown => [{ group: '', kind: 'Service', name }]
