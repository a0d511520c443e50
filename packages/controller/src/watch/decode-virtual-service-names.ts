import { MESH_GATEWAY } from '../virtual-service.types.ts'
import { texts } from './json.ts'

/** Names of Istio Gateways, complete: `mesh`, or `namespace/name`. */
export function gatewayNames(value: unknown, namespace: string): readonly string[] {
  return texts(value).map((name) => {
    if (name === MESH_GATEWAY) return name
    if (!name.includes('/')) return `${namespace}/${name}`
    return name.startsWith('./') ? `${namespace}/${name.slice(2)}` : name
  })
}
