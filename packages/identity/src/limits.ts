/** Largest PEM text of a certificate signing request that the signer reads, bytes. A P-256 request is about 400. */
export const MAX_CSR_PEM_BYTES: number = 16 * 1024

/** Largest single certificate that is parsed, bytes of DER. */
export const MAX_CERTIFICATE_BYTES: number = 64 * 1024

/** Largest PEM bundle (chain or roots) that is read, bytes. */
export const MAX_PEM_BUNDLE_BYTES: number = 1024 * 1024

/** Most certificates in one PEM bundle. */
export const MAX_PEM_CERTIFICATES: number = 256

/** Most elements of `cert_chain` in one CA answer. */
export const MAX_CHAIN_ELEMENTS: number = 32

/** Most names read from one subject alternative name extension; a certificate with more has no identity here. */
export const MAX_SUBJECT_ALT_NAMES: number = 128

/** RSA keys outside of this range are refused in requests: weak below, costly above. Bits. */
export const MIN_RSA_BITS: number = 2048
export const MAX_RSA_BITS: number = 8192

/** Most certificate requests in flight to the CA (Istio). */
export const MAX_CA_REQUESTS_IN_FLIGHT: number = 8

/** Most identities one SecretManager keeps. A node has some hundreds of pods. */
export const MAX_IDENTITIES: number = 10_000

/** Largest answer accepted from the CA, bytes. */
export const MAX_CA_RESPONSE_BYTES: number = 1024 * 1024

/** Largest token file that is read, bytes. */
export const MAX_TOKEN_BYTES: number = 64 * 1024

/** Most extensions read from one certificate or request; with more it has none. */
export const MAX_EXTENSIONS = 64

/** Most attributes read from one certificate request; with more it asks for nothing. */
export const MAX_CSR_ATTRIBUTES = 16
