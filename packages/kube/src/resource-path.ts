import type { ResourceKind } from './object.types.ts'

/** `/api/v1/namespaces/demo/pods/a/status`; every part is escaped, so a name can not leave its place. */
export function resourcePath(
  kind: ResourceKind,
  at: {
    readonly namespace?: string | undefined
    readonly name?: string | undefined
    readonly subresource?: string | undefined
  } = {},
): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`
  const parts = [
    ...(at.namespace === undefined ? [] : ['namespaces', at.namespace]),
    kind.plural,
    ...(at.name === undefined ? [] : [at.name]),
    ...(at.subresource === undefined ? [] : [at.subresource]),
  ]
  return `${root}/${parts.map(encodeURIComponent).join('/')}`
}
