import { type Clock, type Logger, messageOf, type ReadonlyWatchable, Watchable } from '@ambit/core'
import { type CaMaterial, CertificateAuthority } from '@ambit/identity'
import { CaSetupError } from '../errors.ts'
import { CA_POLL_MS } from '../limits.ts'

export interface AuthorityComponents {
  /** Reads the CA's files or Secret; called again and again. */
  readonly read: () => Promise<CaMaterial>
  readonly clock: Clock
  readonly logger: Logger
}

export interface AuthorityOptions {
  readonly defaultTtlSeconds: number
  readonly maxTtlSeconds: number
}

/** The signing authority in force. Replaced when its material changes; wrong new material leaves the old in force. */
export class Authority {
  readonly #parts: AuthorityComponents
  readonly #options: AuthorityOptions
  readonly #current: Watchable<CertificateAuthority>
  /** What was loaded last; lives as long as the key itself. */
  #material: CaMaterial

  private constructor(parts: AuthorityComponents, options: AuthorityOptions, material: CaMaterial) {
    this.#parts = parts
    this.#options = options
    this.#material = material
    this.#current = new Watchable(this.#load(material))
  }

  static async load(parts: AuthorityComponents, options: AuthorityOptions): Promise<Authority> {
    return new Authority(parts, options, await parts.read())
  }

  get current(): ReadonlyWatchable<CertificateAuthority> {
    return this.#current
  }

  /** Looks for changed material until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#parts.clock.sleep(CA_POLL_MS, signal).catch(() => undefined)
      if (!signal.aborted) await this.reload()
    }
  }

  #load(material: CaMaterial): CertificateAuthority {
    const loaded = CertificateAuthority.load(material, this.#options)
    // One that can sign nothing must not take the place of one that can.
    if (loaded.notAfterMs <= this.#parts.clock.now())
      throw new CaSetupError(`the CA certificate expired at ${new Date(loaded.notAfterMs).toISOString()}`)
    return loaded
  }

  async reload(): Promise<void> {
    try {
      const material = await this.#parts.read()
      if (same(material, this.#material)) return
      const next = this.#load(material)
      this.#material = material
      this.#current.set(next)
      this.#parts.logger.info('certificate authority replaced')
    } catch (error) {
      this.#parts.logger.error(`new CA material not taken, the old stays in force: ${messageOf(error)}`)
    }
  }
}

function same(a: CaMaterial, b: CaMaterial): boolean {
  return (
    a.caCertPem === b.caCertPem &&
    a.caKeyPem === b.caKeyPem &&
    a.rootCertPem === b.rootCertPem &&
    a.certChainPem === b.certChainPem
  )
}
