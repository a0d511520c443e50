/** A client pod that does nothing until it is told to, under an account of its own. */
export function client(namespace: string, name: string, node: string): string {
  return `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}, namespace: ${namespace}}
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}
spec:
  serviceAccountName: ${name}
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${node}}
  containers:
    - {name: curl, image: 'docker.io/curlimages/curl:8.16.0', command: [/bin/sleep, infinity]}
---`
}

/** An HTTP server behind a service, port 8000. */
export function server(
  namespace: string,
  name: string,
  node: string,
  options: { readonly dualStack?: boolean } = {},
): string {
  return `
apiVersion: v1
kind: ServiceAccount
metadata: {name: ${name}, namespace: ${namespace}}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  ipFamilyPolicy: ${options.dualStack === true ? 'PreferDualStack' : 'SingleStack'}
  selector: {app: ${name}}
  ports: [{name: http, port: 8000, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}
spec:
  serviceAccountName: ${name}
  terminationGracePeriodSeconds: 0
  nodeSelector: {kubernetes.io/hostname: ${node}}
  containers:
    - name: httpbin
      image: docker.io/mccutchen/go-httpbin:v2.15.0
      ports: [{containerPort: 8080}]
      readinessProbe: {httpGet: {path: /get, port: 8080}, periodSeconds: 1}
---`
}

export function namespace(name: string, labels: Readonly<Record<string, string>> = {}): string {
  return `
apiVersion: v1
kind: Namespace
metadata: {name: ${name}, labels: ${JSON.stringify(labels)}}
---`
}

export const AMBIENT = { 'istio.io/dataplane-mode': 'ambient' } as const

/** An AuthorizationPolicy for the pods with that app label. */
export function policy(
  namespaceName: string,
  name: string,
  app: string,
  action: 'ALLOW' | 'DENY',
  rules: unknown,
): string {
  const spec = { selector: { matchLabels: { app } }, action, rules }
  return JSON.stringify({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { name, namespace: namespaceName },
    spec,
  })
}
