import type { Explanation, MeshModel, Question } from '@ambit/explain'
import type { Cluster } from '../cluster/cluster.types.ts'
import type { Context } from '../context.types.ts'
import { readMesh } from '../explain/read-mesh.ts'
import { EXPLAIN_FRESH_MS } from '../limits.ts'

export interface MeshAnswersOptions {
  /** Of kinds that may not be listed everywhere. */
  readonly namespace: string
  readonly istioNamespace: string
  readonly now: () => number
}

const NO_FILES: Pick<Context, 'readFile' | 'listFolder'> = {
  readFile: (path) => Promise.reject(new Error(`${path} is not read here`)),
  listFolder: (path) => Promise.reject(new Error(`${path} is not read here`)),
}

/** Explains from what the cluster is now: read when somebody asks, and once for all who ask at about the same time. */
export class MeshAnswers {
  readonly #cluster: Cluster
  readonly #options: MeshAnswersOptions
  #model: { readonly atMs: number; readonly model: Promise<MeshModel> } | undefined

  constructor(cluster: Cluster, options: MeshAnswersOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  async explain(question: Question): Promise<Explanation> {
    const model = await this.#fresh()
    return model.explain(question)
  }

  #fresh(): Promise<MeshModel> {
    const nowMs = this.#options.now()
    if (this.#model === undefined || nowMs - this.#model.atMs >= EXPLAIN_FRESH_MS) {
      const model = this.#read()
      this.#model = { atMs: nowMs, model }
      // What failed is asked anew by the next.
      model.catch(() => {
        if (this.#model?.model === model) this.#model = undefined
      })
    }
    return this.#model.model
  }

  async #read(): Promise<MeshModel> {
    const { namespace, istioNamespace } = this.#options
    return (await readMesh(NO_FILES, { cluster: this.#cluster, files: [], namespace, istioNamespace })).model
  }
}
