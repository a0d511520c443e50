import { stringify } from 'yaml'
import type { ClusterPki } from '../pki/cluster-pki.ts'

/** A kubeconfig with everything inside it. */
export function kubeconfigText(o: { readonly name: string; readonly url: string; readonly pki: ClusterPki }): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const context = `ambit-${o.name}`
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: context, cluster: { server: o.url, 'certificate-authority-data': base64(o.pki.caPem) } }],
    users: [
      {
        name: context,
        user: { 'client-certificate-data': base64(o.pki.admin.certPem), 'client-key-data': base64(o.pki.admin.keyPem) },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user: context, namespace: 'default' } }],
    'current-context': context,
  })
}
