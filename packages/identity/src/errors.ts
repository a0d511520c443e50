import { AmbitError, formatSpiffeId, type SpiffeId } from '@ambit/core'

/** A PEM or DER text that is not what it should be. */
export class MalformedCertificateError extends AmbitError {
  readonly code = 'ERR_MALFORMED_CERTIFICATE'
}

/** The signing certificate, key, chain or roots do not fit together. */
export class CaMaterialError extends AmbitError {
  readonly code = 'ERR_CA_MATERIAL'
}

/** The signer does not sign this request. */
export class CsrRefusedError extends AmbitError {
  readonly code = 'ERR_CSR_REFUSED'
}

/** The requested life is above the signer's maximum. */
export class TtlTooLongError extends AmbitError {
  readonly code = 'ERR_TTL_TOO_LONG'
}

/** The CA could not be asked, or did not answer. */
export class CaUnavailableError extends AmbitError {
  readonly code = 'ERR_CA_UNAVAILABLE'
}

/** The CA answered that it will not sign. */
export class CaRefusedError extends AmbitError {
  readonly code = 'ERR_CA_REFUSED'
}

/** The token that authenticates this process to the CA cannot be read. */
export class CaTokenError extends AmbitError {
  readonly code = 'ERR_CA_TOKEN'
}

/** What the CA sent back cannot be used. */
export class CaAnswerError extends AmbitError {
  readonly code = 'ERR_CA_ANSWER'
}

/** No certificate for this identity; the cause says why. */
export class IdentityError extends AmbitError {
  readonly code = 'ERR_IDENTITY'

  constructor(identity: SpiffeId, reason: string, options?: ErrorOptions) {
    super(`identity error: ${reason} (${formatSpiffeId(identity)})`, options)
  }
}

/** The last workload with this identity left while its certificate was being fetched. */
export class IdentityForgottenError extends AmbitError {
  readonly code = 'ERR_IDENTITY_FORGOTTEN'

  constructor(identity: SpiffeId) {
    super(`identity error: the identity is no longer needed (${formatSpiffeId(identity)})`)
  }
}

/** More identities than one process keeps. */
export class TooManyIdentitiesError extends AmbitError {
  readonly code = 'ERR_TOO_MANY_IDENTITIES'
}
