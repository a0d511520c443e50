import type { KubeObject } from '../contract.types.ts'

/** Where changes are kept before they count. A failure to keep one refuses it. */
export interface Journal {
  /** Everything there was, and the last revision given out. */
  load(): {
    readonly revision: number
    readonly objects: readonly { readonly key: string; readonly object: KubeObject }[]
  }
  put(key: string, id: string, object: KubeObject, revision: number): void
  remove(key: string, id: string, revision: number): void
}
