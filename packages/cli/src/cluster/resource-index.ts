import { NotServedError } from '../errors.ts'
import { asList, asObject, asText } from '../json.ts'

/** A kind as the API server serves it. */
export interface ApiResource {
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
}

/** Looks kinds up in the API server's discovery, once per group version. */
export class ResourceIndex {
  readonly #get: (path: string) => Promise<unknown>
  readonly #groups = new Map<string, Promise<readonly ApiResource[]>>()

  constructor(get: (path: string) => Promise<unknown>) {
    this.#get = get
  }

  async find(apiVersion: string, kind: string): Promise<ApiResource> {
    const known = this.#groups.get(apiVersion) ?? this.#load(apiVersion)
    this.#groups.set(apiVersion, known)
    try {
      const found = (await known).find((resource) => resource.kind === kind)
      if (found !== undefined) return found
    } catch (error) {
      // Not kept: the group may be served a moment later, when its CRD is established.
      this.#groups.delete(apiVersion)
      throw error
    }
    this.#groups.delete(apiVersion)
    throw new NotServedError(`the API server does not serve ${kind} of ${apiVersion}`)
  }

  async #load(apiVersion: string): Promise<readonly ApiResource[]> {
    const root = apiVersion.includes('/') ? '/apis' : '/api'
    return decodeResources(apiVersion, await this.#get(`${root}/${apiVersion}`))
  }
}

/** Reads an APIResourceList; subresources (`pods/log`) are left out. */
export function decodeResources(apiVersion: string, list: unknown): readonly ApiResource[] {
  return asList(asObject(list)['resources'])
    .map(asObject)
    .map((item) => ({
      apiVersion,
      kind: asText(item['kind']),
      plural: asText(item['name']),
      namespaced: item['namespaced'] === true,
    }))
    .filter((resource) => !resource.plural.includes('/'))
}
