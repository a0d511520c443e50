export interface AcceptedSettings {
  readonly kind: 'accepted'
  readonly hub: string | undefined
  readonly tag: string | undefined
  /** What was asked for and is left out, one line each; the rest is installed. */
  readonly leftOut: readonly string[]
}

export type Settings = AcceptedSettings | { readonly kind: 'refused'; readonly message: string }

/** What the ambient profile always has. */
const ALWAYS = ['base', 'pilot', 'cni', 'ztunnel']

/** Understands the `--set` values of `install`. What has no effect is refused or told, not swallowed. */
export function parseSettings(settings: readonly string[]): Settings {
  let hub: string | undefined
  let tag: string | undefined
  const leftOut = new Set<string>()
  for (const setting of settings) {
    const equals = setting.indexOf('=')
    if (equals <= 0) return { kind: 'refused', message: `--set needs path=value, not "${setting}"` }
    const path = setting.slice(0, equals)
    const value = setting.slice(equals + 1)
    if (path === 'profile') {
      if (value !== 'ambient') {
        return {
          kind: 'refused',
          message: `profile "${value}" is not available: this mesh is ambient only (profile=ambient)`,
        }
      }
    } else if (path === 'hub' || path === 'values.global.hub') hub = value
    else if (path === 'tag' || path === 'values.global.tag') tag = value
    else if (isGateway(path)) {
      if (!path.endsWith('.enabled') || value === 'true') leftOut.add(path.slice(0, path.lastIndexOf('.')))
    } else if (!isAlwaysSo(path, value)) {
      return {
        kind: 'refused',
        message: `--set ${path} is not available in this version; it knows profile, hub and tag. Edit deploy/manifests and apply it with kubectl instead.`,
      }
    }
  }
  const lines = [...leftOut].map((path) => `! ${path} is left out: this version installs no ingress or egress gateways`)
  return { kind: 'accepted', hub, tag, leftOut: lines }
}

/** Gateways of the mesh, which Istio's documents ask for beside the ambient profile. */
function isGateway(path: string): boolean {
  return /^components\.(ingress|egress)Gateways(\[\d+\])?\.(enabled|name|namespace)$/.test(path)
}

function isAlwaysSo(path: string, value: string): boolean {
  return value === 'true' && ALWAYS.some((component) => path === `components.${component}.enabled`)
}
