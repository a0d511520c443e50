import type { KubeObject } from '../contract.types.ts'

/** Objects of one resource by `namespace/name`, in byte order as etcd has them. */
export class ObjectTable {
  readonly #objects = new Map<string, KubeObject>()
  /** Kept in order change by change: a list must not have to sort ten thousand names first. */
  readonly #ids: string[] = []

  get size(): number {
    return this.#objects.size
  }

  get(id: string): KubeObject | undefined {
    return this.#objects.get(id)
  }

  set(id: string, object: KubeObject): void {
    if (!this.#objects.has(id)) this.#ids.splice(this.#position(id), 0, id)
    this.#objects.set(id, object)
  }

  delete(id: string): void {
    if (this.#objects.delete(id)) this.#ids.splice(this.#position(id), 1)
  }

  list(namespace: string | undefined): readonly KubeObject[] {
    const prefix = namespace === undefined ? '' : `${namespace}/`
    const found: KubeObject[] = []
    for (let index = this.#position(prefix); index < this.#ids.length; index++) {
      const id = this.#ids[index] ?? ''
      if (!id.startsWith(prefix)) break
      const object = this.#objects.get(id)
      if (object !== undefined) found.push(object)
    }
    return found
  }

  /** Where an id stands, or would stand. */
  #position(id: string): number {
    let low = 0
    let high = this.#ids.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ids[middle] ?? '') < id) low = middle + 1
      else high = middle
    }
    return low
  }
}
