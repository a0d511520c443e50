/** Why a request is over before its endpoint is done with it. */
export type Ending = 'client-gone' | 'request-timeout' | 'attempt-timeout'

export class EndedError extends Error {
  readonly ending: Ending

  constructor(ending: Ending) {
    super(ending)
    this.ending = ending
  }
}

/** How one attempt is given up. Its signal is made for who asks, which is only who opens a connection: most attempts find one. */
export class AttemptEnd {
  #ending: Ending | undefined
  #controller: AbortController | undefined
  #giveUp: ((error: EndedError) => void) | undefined

  get ending(): Ending | undefined {
    return this.#ending
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#ending !== undefined) this.#controller.abort(new EndedError(this.#ending))
    }
    return this.#controller.signal
  }

  end(ending: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    const error = new EndedError(ending)
    this.#controller?.abort(error)
    this.#giveUp?.(error)
  }

  /** Settles as the promise, or rejects with an {@link EndedError} as soon as the attempt is given up. Used once. */
  until<T>(promise: Promise<T>): Promise<T> {
    if (this.#ending !== undefined) return Promise.reject(new EndedError(this.#ending))
    return new Promise((resolve, reject) => {
      this.#giveUp = reject
      promise.then(resolve, reject)
    })
  }
}
