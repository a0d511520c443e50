/** Namespaces of the cluster itself (Istio's list): what is in them is not looked at. */
const SYSTEM: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage'])

export function isSystemNamespace(name: string): boolean {
  return SYSTEM.has(name)
}
