import { readDocuments, type Sourced } from '@ambit/analyze'
import { MeshModel } from '@ambit/explain'

/** Besides that for requests. */
const PORTS: Readonly<Record<string, string>> = {
  web: `
    - { name: tcp-feed, port: 9000, targetPort: 9000 }
    - { name: other, port: 9100, targetPort: 9100 }`,
}

/** A shop behind a waypoint, a back room without one, and somebody outside of the mesh. */
export const SHOP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint } }
---
apiVersion: v1
kind: Namespace
metadata: { name: back, labels: { istio.io/dataplane-mode: ambient } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: waypoint, namespace: shop, labels: { istio.io/waypoint-for: service } }
spec:
  gatewayClassName: istio-waypoint
  listeners: [{ name: mesh, port: 15008, protocol: HBONE }]
---
${workload('shop', 'web', 'v1')}
---
${workload('shop', 'client', 'v1')}
---
${workload('back', 'db', 'v1')}
---
${workload('back', 'db', 'v2')}
---
${service('shop', 'web')}
---
${service('back', 'db')}
`

function workload(namespace: string, app: string, version: string): string {
  return `
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${app}, namespace: ${namespace} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${app}-${version}, namespace: ${namespace} }
spec:
  selector: { matchLabels: { app: ${app}, version: ${version} } }
  template:
    metadata: { labels: { app: ${app}, version: ${version} } }
    spec:
      serviceAccountName: ${app}
      containers: [{ name: app, image: app, ports: [{ containerPort: 8080 }] }]`
}

function service(namespace: string, app: string): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${app}, namespace: ${namespace} }
spec:
  selector: { app: ${app} }
  ports:
    - { name: http, port: 80, targetPort: 8080, appProtocol: http }${PORTS[app] ?? ''}`
}

export function policy(namespace: string, name: string, spec: object): string {
  return JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { namespace, name },
    spec,
  })
}

export const atWaypoint = (name: string): object => ({ targetRefs: [{ group: '', kind: 'Service', name }] })

export function sourced(...documents: readonly string[]): readonly Sourced[] {
  const { objects, problems } = readDocuments('objects.yaml', documents.join('\n---\n'), 'default')
  const [problem] = problems
  if (problem !== undefined) throw new Error(`${problem.line}: ${problem.message}`)
  return objects
}

export function modelOf(...documents: readonly string[]): MeshModel {
  const model = MeshModel.of({ objects: sourced(...documents) })
  const [problem] = model.problems
  if (problem !== undefined) throw new Error(problem)
  return model
}
