/** A value that others may follow. Readers that only look take this side. */
export interface ReadonlyWatchable<T> {
  readonly value: T
  /** Calls back on every later change; disposing stops it. */
  subscribe(listener: (value: T) => void): Disposable
}

export class Watchable<T> implements ReadonlyWatchable<T> {
  readonly #listeners = new Set<(value: T) => void>()
  #value: T

  constructor(value: T) {
    this.#value = value
  }

  get value(): T {
    return this.#value
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return
    this.#value = value
    for (const listener of [...this.#listeners]) listener(value)
  }

  subscribe(listener: (value: T) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }
}

/** Resolves with the first value, now or later, that satisfies the test. */
export async function when<T>(
  source: ReadonlyWatchable<T>,
  test: (value: T) => boolean,
  signal?: AbortSignal,
): Promise<T> {
  if (test(source.value)) return source.value
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  using _subscription = source.subscribe((value) => {
    if (test(value)) resolve(value)
  })
  const onAbort = (): void => reject(signal?.reason as Error)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
