/** Object identifiers used in requests and certificates, with the document that assigns them. */
export const OID = {
  /** RFC 4519 */
  organization: '2.5.4.10',
  /** RFC 5280 §4.2.1 */
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  /** RFC 2985 §5.4.2 */
  extensionRequest: '1.2.840.113549.1.9.14',
} as const
