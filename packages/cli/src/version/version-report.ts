/** A version as istiod's `/version` and istioctl write it. */
export interface BuildInfo {
  readonly version: string
  readonly revision: string
  readonly status: string
}

/** What `ambit version -o json|yaml` prints, with istioctl's members. */
export interface VersionReport {
  readonly clientVersion: BuildInfo
  readonly meshVersion?: readonly { readonly Component: string; readonly Info: BuildInfo }[] | undefined
  /** One entry for each connected proxy, waypoints and gateways among them. */
  readonly dataPlaneVersion?: readonly { readonly ID: string; readonly IstioVersion: string }[] | undefined
}

/** istiod answers `VERSION-GITSHA-Clean`; only the first part is a version. */
export function parseBuildInfo(text: string): BuildInfo {
  const [, version, revision, status] = /^(.*)-([^-]+)-(Clean|Modified)$/.exec(text.trim()) ?? []
  return { version: version ?? text.trim(), revision: revision ?? 'unknown', status: status ?? 'unknown' }
}

/** Lines of the human form. */
export function versionLines(report: VersionReport): readonly string[] {
  const counts = new Map<string, number>()
  for (const { IstioVersion } of report.dataPlaneVersion ?? []) {
    counts.set(IstioVersion, (counts.get(IstioVersion) ?? 0) + 1)
  }
  const controlPlane = new Set(report.meshVersion?.map(({ Info }) => Info.version))
  const proxies = [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([version, n]) => `${version} (${n} proxies)`)
  return [
    `client version: ${report.clientVersion.version}`,
    `control plane version: ${[...controlPlane].join(', ') || 'none'}`,
    `data plane version: ${proxies.join(', ') || 'none'}`,
  ]
}
