import type { Clock, Logger } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf } from '../json.ts'
import type { ApiService } from '../resources/api-service.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import type { CustomVersion, ResourceDefinition, ScalePaths } from '../resources/resource-definition.ts'
import { compareVersions, type ResourceRegistry } from '../resources/resource-registry.ts'
import type { BuiltinTypes } from '../schema/builtin-types.ts'
import { ANY_TYPE } from '../schema/type-node.ts'
import { celEnvironment } from './cel-environment.ts'
import { CelRules, type UnusableRule } from './cel-rules.ts'
import { crdRules } from './crd-rules.ts'
import { compileVersion } from './custom-version.ts'

const CRDS = 'apiextensions.k8s.io/customresourcedefinitions'

/** Serves what CustomResourceDefinitions define, from the moment they are stored. */
export class CustomResources implements Disposable {
  readonly rules: KindRules
  readonly #registry: ResourceRegistry
  readonly #types: BuiltinTypes
  readonly #logger: Logger
  readonly #clock: Clock
  #subscription: Disposable | undefined

  constructor(registry: ResourceRegistry, types: BuiltinTypes, logger: Logger, clock: Clock) {
    this.#registry = registry
    this.#types = types
    this.#logger = logger
    this.#clock = clock
    this.rules = crdRules(() => clock.now())
  }

  attach(service: ApiService): void {
    const { store } = service
    for (const crd of store.list(CRDS)) this.#serve(crd, undefined)
    this.#subscription = store.subscribe(CRDS, (event) => {
      const { group, resource } = namesOf(event.object)
      if (event.type === 'DELETED') {
        for (const object of store.list(`${group}/${resource}`)) store.remove(`${group}/${resource}`, object)
        this.#registry.delete(group, resource)
      } else this.#serve(event.object, event.previous)
    })
  }

  [Symbol.dispose](): void {
    this.#subscription?.[Symbol.dispose]()
  }

  #serve(crd: KubeObject, previous: KubeObject | undefined): void {
    // Status updates don't change what is served.
    if (previous !== undefined && previous.metadata.generation === crd.metadata.generation) return
    const { definition, unusable } = defineCustomResource(crd, this.#types, () => this.#clock.now())
    const [first] = unusable
    if (first !== undefined)
      this.#logger.warn('a CRD has validation rules that cannot be used; objects that they apply to are refused', {
        crd: crd.metadata.name,
        rules: unusable.length,
        first: `${first.path}: ${first.rule}: ${first.problem}`,
      })
    this.#registry.set(definition)
  }
}

function namesOf(crd: KubeObject): { readonly group: string; readonly resource: string } {
  return { group: String(at(crd, 'spec', 'group')), resource: String(at(crd, 'spec', 'names', 'plural')) }
}

/** The row of discovery that a CRD makes, and how many of its rules can't be used. */
export function defineCustomResource(
  crd: KubeObject,
  types: BuiltinTypes,
  now: () => number,
): { readonly definition: ResourceDefinition; readonly unusable: readonly UnusableRule[] } {
  const spec = objectOf(crd['spec'])
  const names = objectOf(spec['names'])
  const served = arrayOf(spec['versions'])
    .filter(isObject)
    .filter((version) => version['served'] === true)
  const compiled = new Map<string, CustomVersion>()
  const status = new Set<string>()
  const scales = new Map<string, ScalePaths>()
  const unusable: UnusableRule[] = []
  const environment = celEnvironment()
  for (const version of served) {
    const rules = new CelRules(environment, now)
    const custom = compileVersion(version, rules, types.get('meta.ObjectMeta'))
    unusable.push(...rules.compileAll(custom.schema))
    compiled.set(String(version['name']), custom)
    const scale = scaleOf(version)
    if (scale !== undefined) scales.set(String(version['name']), scale)
    if (at(version, 'subresources', 'status') !== undefined) status.add(String(version['name']))
  }
  const strings = (value: unknown): readonly string[] => arrayOf(value).filter((item) => typeof item === 'string')
  const { group, resource } = namesOf(crd)
  const definition: ResourceDefinition = {
    group,
    resource,
    kind: String(names['kind']),
    singular: String(names['singular']),
    namespaced: spec['scope'] === 'Namespaced',
    shortNames: strings(names['shortNames']),
    categories: strings(names['categories']),
    versions: [...compiled.keys()].sort(compareVersions),
    status,
    scale: (version) => scales.get(version),
    type: (version) => compiled.get(version)?.type ?? ANY_TYPE,
    custom: (version) => compiled.get(version),
  }
  return { definition, unusable }
}

/** Where a version keeps what its Scale shows, as simple paths like `.spec.replicas`. */
function scaleOf(version: JsonObject): ScalePaths | undefined {
  const scale = at(version, 'subresources', 'scale')
  const path = (name: string): readonly string[] | undefined => {
    const text = at(scale, name)
    return typeof text === 'string' && text.startsWith('.') ? text.slice(1).split('.') : undefined
  }
  const [spec, status] = [path('specReplicasPath'), path('statusReplicasPath')]
  if (spec === undefined || status === undefined) return undefined
  return { spec, status, selector: path('labelSelectorPath') }
}
