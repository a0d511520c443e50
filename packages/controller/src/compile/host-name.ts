/** A name without dots is one of the namespace it stands in (Istio). */
export function completeHost(host: string, namespace: string, domain: string): string {
  return host === '' || host.includes('.') || host.startsWith('*') ? host : `${host}.${namespace}.svc.${domain}`
}

/** What a rule may call a host: itself first, then wildcards from the narrowest to `*`. */
export function hostPatterns(host: string): readonly string[] {
  const patterns = [host]
  let rest = host.startsWith('*.') ? host.slice(2) : host
  for (let dot = rest.indexOf('.'); dot >= 0; dot = rest.indexOf('.')) {
    rest = rest.slice(dot + 1)
    patterns.push(`*.${rest}`)
  }
  if (host !== '*') patterns.push('*')
  return patterns
}

/** `exportTo` with its words resolved: `*` all, `.` the own namespace, `~` nobody; nothing written is all. */
export function exportedTo(written: readonly string[], namespace: string): readonly string[] {
  if (written.length === 0) return ['*']
  return written.filter((entry) => entry !== '~').map((entry) => (entry === '.' ? namespace : entry))
}

export function isExportedTo({ exportTo }: { readonly exportTo: readonly string[] }, namespace: string): boolean {
  return exportTo.includes('*') || exportTo.includes(namespace)
}
