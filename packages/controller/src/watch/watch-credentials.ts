import type { Logger } from '@ambit/core'
import { KINDS, type KubeClient, type KubeObject, statusOf, watchObjects } from '@ambit/kube'
import type { MeshIndex } from '../index/mesh-index.ts'
import { MAX_WATCHED_CREDENTIALS } from '../limits.ts'
import { decodeCredential, missingCredential } from './decode-credential.ts'

export interface CredentialWatchParts {
  readonly client: KubeClient
  readonly index: Pick<MeshIndex, 'put' | 'onCredentials'>
  readonly logger: Logger
}

/** Keeps the Secrets that listeners name, one watch for each: other Secrets of the cluster never come into this process. */
export class CredentialWatches implements Disposable {
  readonly #parts: CredentialWatchParts
  readonly #watches = new Map<string, { readonly end: AbortController; readonly synced: Promise<unknown> }>()
  #toldOfLimit = false

  constructor(parts: CredentialWatchParts) {
    this.#parts = parts
    parts.index.onCredentials((names) => this.#follow(new Set(names)))
  }

  /** When all that are named now have been looked for. */
  get synced(): Promise<unknown> {
    return Promise.all([...this.#watches.values()].map(({ synced }) => synced))
  }

  [Symbol.dispose](): void {
    for (const { end } of this.#watches.values()) end.abort()
    this.#watches.clear()
  }

  #follow(names: ReadonlySet<string>): void {
    for (const [name, { end }] of this.#watches) {
      if (names.has(name)) continue
      end.abort()
      this.#watches.delete(name)
      this.#put(name, undefined)
    }
    for (const name of names) {
      if (this.#watches.has(name)) continue
      if (this.#watches.size < MAX_WATCHED_CREDENTIALS) this.#watches.set(name, this.#watch(name))
      else this.#tellOfLimit()
    }
  }

  #watch(key: string): { readonly end: AbortController; readonly synced: Promise<unknown> } {
    const { client, logger } = this.#parts
    const end = new AbortController()
    const [namespace = '', name = ''] = key.split('/')
    const set = watchObjects({
      client,
      kind: KINDS.secret,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      signal: end.signal,
      logger,
      trim: onlyData,
    })
    const take = (object: KubeObject): void => this.#put(key, decodeCredential(object))
    const missing = (): void => this.#put(key, missingCredential(namespace, name, 'not found'))
    set.subscribe({ add: take, update: take, delete: missing })
    const synced = set.synced.then(() => {
      if (!end.signal.aborted && set.get(namespace, name) === undefined) missing()
    })
    // A watch that may not be made never is complete; then that is what is known.
    const forbidden = client.get(KINDS.secret, { namespace, name }, end.signal).then(
      () => synced,
      (error: unknown) => {
        if (statusOf(error) !== 403) return synced
        if (!end.signal.aborted && !set.isSynced)
          this.#put(key, missingCredential(namespace, name, 'can not be read: the control plane has no right to'))
        return undefined
      },
    )
    return { end, synced: Promise.race([synced, forbidden]) }
  }

  #put(key: string, credential: ReturnType<typeof decodeCredential> | undefined): void {
    const [namespace = '', name = ''] = key.split('/')
    this.#parts.index.put('credentials', namespace, name, credential)
  }

  #tellOfLimit(): void {
    if (this.#toldOfLimit) return
    this.#toldOfLimit = true
    this.#parts.logger.error(
      `listeners name more than ${MAX_WATCHED_CREDENTIALS} Secrets: those beyond are not read and their listeners not served`,
    )
  }
}

function onlyData(object: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = object
  const { namespace, name, uid, resourceVersion } = metadata
  const { data } = object as { readonly data?: unknown }
  const slim = {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ...(data === undefined ? {} : { data }),
  }
  return slim
}
