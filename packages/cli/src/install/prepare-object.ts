import type { ClusterObject } from '../cluster/cluster.types.ts'
import type { JsonObject } from '../json.ts'
import { asList, asObject, asText } from '../json.ts'

export interface InstallOptions {
  readonly namespace: string
  readonly version: string
  /** Registry prefix instead of `ambit`. */
  readonly hub?: string | undefined
  readonly tag?: string | undefined
}

/** Label that marks everything an install wrote; uninstall prunes by it. */
export const OWNER_LABEL = 'install.operator.istio.io/owning-resource'

/** A manifest's object as it is applied: labelled as Istio's installer does, with the chosen image names. */
export function prepareObject(object: ClusterObject, component: string, options: InstallOptions): ClusterObject {
  const labels = {
    ...object.metadata.labels,
    [OWNER_LABEL]: 'installed-state',
    'operator.istio.io/component': component,
    'operator.istio.io/managed': 'Reconcile',
    'operator.istio.io/version': options.version,
  }
  const prepared = { ...object, metadata: { ...object.metadata, labels } }
  return options.hub === undefined && options.tag === undefined
    ? prepared
    : withValues(withImages(prepared, options), options)
}

function withImages(object: ClusterObject, options: InstallOptions): ClusterObject {
  const spec = asObject(object['spec'])
  const template = asObject(spec['template'])
  const pod = asObject(template['spec'])
  const containers = asList(pod['containers']).map(asObject)
  if (containers.length === 0) return object
  const renamed = containers.map((container) => renameImage(container, options))
  return { ...object, spec: { ...spec, template: { ...template, spec: { ...pod, containers: renamed } } } }
}

function renameImage(container: JsonObject, options: InstallOptions): JsonObject {
  const [repository = '', tag = ''] = asText(container['image']).split(':')
  const name = repository.slice(repository.lastIndexOf('/') + 1)
  return { ...container, image: `${options.hub ?? 'ambit'}/${name}:${options.tag ?? tag}` }
}

/** The controller names the image of waypoints by the values that lie in the cluster. */
function withValues(object: ClusterObject, options: InstallOptions): ClusterObject {
  const data = asObject(object['data'])
  const text = asText(data['values'])
  if (object.kind !== 'ConfigMap' || text === '') return object
  const values = asObject(JSON.parse(text))
  const { hub, tag } = options
  const global = {
    ...asObject(values['global']),
    ...(hub === undefined ? {} : { hub }),
    ...(tag === undefined ? {} : { tag }),
  }
  return { ...object, data: { ...data, values: JSON.stringify({ ...values, global }, undefined, 2) } }
}
