import { createHash, type X509Certificate } from 'node:crypto'

/** Kinds of subject alternative names, as Node writes them: `URI:spiffe://…, DNS:a.test`. */
const ALT_NAME = /(?:^|, )(URI|DNS|email):("(?:[^"\\]|\\.)*"|[^,]*)/g

interface AltName {
  readonly kind: string
  readonly value: string
}

function altNamesOf(certificate: X509Certificate): readonly AltName[] {
  return [...(certificate.subjectAltName ?? '').matchAll(ALT_NAME)].map(([, kind = '', value = '']) => ({
    kind,
    value: unquoted(value),
  }))
}

/** Node quotes values that could be taken for several, as JSON. */
function unquoted(value: string): string {
  if (!value.startsWith('"')) return value
  try {
    return JSON.parse(value) as string
  } catch {
    return ''
  }
}

/** Whether a verified certificate has one of the names; any will do where none is asked for. */
export function hasAltName(certificate: X509Certificate, wanted: readonly string[]): boolean {
  return wanted.length === 0 || altNamesOf(certificate).some(({ value }) => wanted.includes(value))
}

/** The element of x-forwarded-client-cert for a verified certificate, with all that Istio's gateways tell of it. */
export function forwardedCertificate(certificate: X509Certificate): string {
  const parts = [
    `Hash=${createHash('sha256').update(certificate.raw).digest('hex')}`,
    `Cert="${encodeURIComponent(certificate.toString())}"`,
    `Subject="${quotable(subjectOf(certificate))}"`,
  ]
  for (const { kind, value } of altNamesOf(certificate)) {
    if (kind === 'URI') parts.push(`URI=${elementText(value)}`)
    if (kind === 'DNS') parts.push(`DNS=${elementText(value)}`)
  }
  return parts.join(';')
}

/** In the order of RFC 2253: the last part first. */
function subjectOf({ subject }: X509Certificate): string {
  return (subject as string | undefined)?.split('\n').toReversed().join(',') ?? ''
}

function quotable(text: string): string {
  return visible(text).replaceAll(/["\\]/g, String.raw`\$&`)
}

/** What ends an element or a field may only stand in quotes. */
function elementText(text: string): string {
  return /[,;="]/.test(text) ? `"${quotable(text)}"` : visible(text)
}

function visible(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?')
}
