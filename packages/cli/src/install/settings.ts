export type Settings =
  | { readonly kind: 'accepted'; readonly hub: string | undefined; readonly tag: string | undefined }
  | { readonly kind: 'refused'; readonly message: string }

/** Understands the `--set` values of `install`. What has no effect is refused rather than swallowed. */
export function parseSettings(settings: readonly string[]): Settings {
  let hub: string | undefined
  let tag: string | undefined
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
    else {
      return {
        kind: 'refused',
        message: `--set ${path} is not available in this version; it knows profile, hub and tag. Edit deploy/manifests and apply it with kubectl instead.`,
      }
    }
  }
  return { kind: 'accepted', hub, tag }
}
