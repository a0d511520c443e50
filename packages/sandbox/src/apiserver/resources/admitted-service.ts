import type { DeleteOptions, KubeObject } from '../contract.types.ts'
import { MAX_ADMISSION_RESTARTS } from '../limits.ts'
import { conflict, STALE_OBJECT } from '../status-error.ts'
import type { ObjectWriter } from './object-writer.ts'
import type { RequestContext } from './request-context.ts'
import type { Target } from './target.ts'
import { type AdmissionPoint, type Deletion, StateChangedError, type Writing } from './writing.ts'

/** Who is asked about writes: webhooks and policies. */
export interface Admission {
  /** Undefined when nobody wants to be asked, so that the write needn't wait. Otherwise the changed object, if it changed. */
  decide(point: AdmissionPoint): Promise<KubeObject | undefined> | undefined
}

/** Writes as users and controllers make them: with admission. */
export class AdmittedService {
  readonly #writer: ObjectWriter
  readonly #admission: Admission

  constructor(writer: ObjectWriter, admission: Admission) {
    this.#writer = writer
    this.#admission = admission
  }

  create(target: Target, body: unknown, context: RequestContext): Promise<KubeObject> {
    return this.#run(target, () => this.#writer.create(target, body, context))
  }

  update(target: Target, body: unknown, context: RequestContext): Promise<KubeObject> {
    return this.#run(target, () => this.#writer.update(target, body, context))
  }

  patch(target: Target, change: (current: KubeObject) => unknown, context: RequestContext): Promise<KubeObject> {
    return this.#run(target, () => this.#writer.patch(target, change, context))
  }

  apply(target: Target, config: unknown, context: RequestContext & { readonly force: boolean }): Promise<KubeObject> {
    return this.#run(target, () => this.#writer.apply(target, config, context))
  }

  delete(target: Target, options: DeleteOptions, context: RequestContext): Promise<Deletion> {
    return this.#run(target, () => this.#writer.delete(target, options, context))
  }

  /** Runs through in one turn when nobody has to be asked. */
  async #run<T>(target: Target, begin: () => Writing<T>): Promise<T> {
    for (let restarts = 0; restarts <= MAX_ADMISSION_RESTARTS; restarts++) {
      try {
        const writing = begin()
        let step = writing.next()
        while (step.done !== true) {
          const decision = this.#admission.decide(step.value)
          step = writing.next(decision === undefined ? undefined : await decision)
        }
        return step.value
      } catch (error) {
        if (!(error instanceof StateChangedError)) throw error
      }
    }
    const { definition, name } = target
    throw conflict(definition.group, definition.resource, name, STALE_OBJECT)
  }
}
