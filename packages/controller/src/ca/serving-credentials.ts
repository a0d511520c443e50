import { type Clock, type Logger, messageOf, type ReadonlyWatchable } from '@ambit/core'
import type { CertificateAuthority } from '@ambit/identity'
import { ServerCredentials } from '@grpc/grpc-js'
import { SERVING_TTL_MS } from '../limits.ts'

/** Names peers reach the control plane by (Istio). */
export function servingNames(namespace: string, revision: string, domain: string): readonly string[] {
  const services = ['istiod', 'istiod-remote', 'istio-pilot', ...(revision === 'default' ? [] : [`istiod-${revision}`])]
  return services.flatMap((service) => [
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.${domain}`,
    `${service}.${namespace}`,
  ])
}

export interface ServingKeys {
  readonly chainPem: string
  readonly keyPem: string
}

/** TLS of the control plane's port: signed by its own authority, renewed long before it ends. */
export class ServingCredentials extends ServerCredentials implements Disposable {
  readonly #authority: ReadonlyWatchable<CertificateAuthority>
  readonly #names: readonly string[]
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #subscription: Disposable
  #timer: Disposable | undefined
  #keys: ServingKeys | undefined
  readonly #followers = new Set<(keys: ServingKeys) => void>()

  constructor(
    components: {
      readonly authority: ReadonlyWatchable<CertificateAuthority>
      readonly clock: Clock
      readonly logger: Logger
    },
    names: readonly string[],
  ) {
    super({ minVersion: 'TLSv1.2' })
    this.#authority = components.authority
    this.#clock = components.clock
    this.#logger = components.logger
    this.#names = names
    this.#subscription = this.#authority.subscribe(() => this.#renew())
    this.#renew()
  }

  /** For another server of this process: calls back at once, and with every renewal. */
  follow(listener: (keys: ServingKeys) => void): Disposable {
    this.#followers.add(listener)
    if (this.#keys !== undefined) listener(this.#keys)
    return { [Symbol.dispose]: () => void this.#followers.delete(listener) }
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
  }

  /** Never throws: a CA that has expired is for an operator to replace, and the process must be there to take the new one. */
  #renew(): void {
    this.#timer?.[Symbol.dispose]()
    try {
      this.#sign()
    } catch (error) {
      this.#logger.error(`the serving certificate cannot be renewed: ${messageOf(error)}`)
      this.#timer = this.#clock.after(60_000, () => this.#renew())
    }
  }

  #sign(): void {
    const { chainPem, keyPem } = this.#authority.value.signServer({
      dnsNames: [...this.#names],
      ttlMs: SERVING_TTL_MS,
      now: this.#clock.now(),
    })
    this.#keys = { chainPem, keyPem }
    for (const listener of this.#followers) listener(this.#keys)
    this.updateSecureContextOptions({ cert: chainPem, key: keyPem, minVersion: 'TLSv1.2' })
    const lifeMs = Math.min(SERVING_TTL_MS, this.#authority.value.notAfterMs - this.#clock.now())
    // Timers end at 24 days; an early renewal costs nothing.
    this.#timer = this.#clock.after(Math.max(60_000, Math.min(lifeMs / 2, 20 * 24 * 3600 * 1000)), () => this.#renew())
  }
}
