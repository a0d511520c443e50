// The bookstore sample: one Service per program, a Deployment per version.
const PORT = 9080

export interface Version {
  readonly app: 'details' | 'ratings' | 'reviews' | 'productpage'
  readonly version: string
}

export const BOOKSTORE: readonly Version[] = [
  { app: 'details', version: 'v1' },
  { app: 'ratings', version: 'v1' },
  { app: 'reviews', version: 'v1' },
  { app: 'reviews', version: 'v2' },
  { app: 'reviews', version: 'v3' },
  { app: 'productpage', version: 'v1' },
]

/** Accounts, services and deployments, as one list for `kubectl apply -f -`. */
export function bookstoreManifest(namespace: string, versions: readonly Version[] = BOOKSTORE): string {
  const apps = [...new Set(versions.map(({ app }) => app))]
  const items = [
    ...apps.flatMap((app) => [account(namespace, app), service(namespace, app, { app })]),
    ...versions.map((one) => deployment(namespace, one)),
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

/** The service of an app, leading to the pods with these labels. */
export function service(namespace: string, app: string, selector: Readonly<Record<string, string>>): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app, namespace, labels: { app, service: app } },
    spec: { selector, ports: [{ name: 'http', port: PORT }] },
  }
}

function account(namespace: string, app: string): object {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: `bookinfo-${app}`, namespace } }
}

function deployment(namespace: string, { app, version }: Version): object {
  const labels = { app, version }
  const container = {
    name: app,
    image: `registry.istio.io/release/examples-bookinfo-${app}-${version}:1.20.3`,
    ports: [{ containerPort: PORT }],
    readinessProbe: { httpGet: { path: '/health', port: PORT }, periodSeconds: 1 },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${app}-${version}`, namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: `bookinfo-${app}`,
          containers: [container],
          volumes: [{ name: 'tmp', emptyDir: {} }],
        },
      },
    },
  }
}
