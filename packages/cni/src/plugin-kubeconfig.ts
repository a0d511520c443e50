/** What the plugin needs to read pods and namespaces. */
export interface PluginAccess {
  readonly server: string
  readonly caPem: string | undefined
  readonly token: string
}

/** A kubeconfig as JSON, which is YAML: `kubectl` reads it, and the plugin needs no YAML parser. */
export function formatKubeconfig({ server, caPem, token }: PluginAccess): string {
  const ca = caPem === undefined ? {} : { 'certificate-authority-data': Buffer.from(caPem).toString('base64') }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'local', cluster: { server, ...ca } }],
    users: [{ name: 'istio-cni', user: { token } }],
    contexts: [{ name: 'istio-cni-context', context: { cluster: 'local', user: 'istio-cni' } }],
    'current-context': 'istio-cni-context',
  }
  return `${JSON.stringify(config, undefined, 2)}\n`
}

interface Kubeconfig {
  readonly clusters?: readonly {
    readonly cluster?: { readonly server?: string; readonly 'certificate-authority-data'?: string }
  }[]
  readonly users?: readonly { readonly user?: { readonly token?: string } }[]
}

/** Reads what {@link formatKubeconfig} wrote; TypeError on anything else. */
export function parseKubeconfig(text: string): PluginAccess {
  const config = JSON.parse(text) as Kubeconfig
  const cluster = config.clusters?.[0]?.cluster
  const token = config.users?.[0]?.user?.token
  if (typeof cluster?.server !== 'string' || typeof token !== 'string')
    throw new TypeError('kubeconfig lacks a server or a token')
  const ca = cluster['certificate-authority-data']
  return {
    server: cluster.server,
    token,
    caPem: ca === undefined ? undefined : Buffer.from(ca, 'base64').toString('utf8'),
  }
}
