import { X509Certificate } from 'node:crypto'
import { messageOf } from '@ambit/core'
import { MalformedCertificateError } from './errors.ts'
import { MAX_CERTIFICATE_BYTES, MAX_PEM_BUNDLE_BYTES, MAX_PEM_CERTIFICATES } from './limits.ts'

/** 64 columns (RFC 7468). */
const LINE = /.{1,64}/g
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)-----END \1-----/g

/** DER to PEM. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64')
  const lines = base64.match(LINE) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** DER of the only PEM block in the text, if it has this label; undefined for anything else. */
export function onlyPemBlock(text: string, label: string): Buffer | undefined {
  const [block, ...more] = pemBlocks(text)
  return block?.label === label && more.length === 0 ? block.der : undefined
}

/** Every certificate of a PEM bundle, in order. Throws {@link MalformedCertificateError} when one cannot be read. */
export function certificatesOfPem(text: string, what: string): readonly X509Certificate[] {
  if (text.length > MAX_PEM_BUNDLE_BYTES) {
    throw new MalformedCertificateError(`${what}: larger than ${MAX_PEM_BUNDLE_BYTES} bytes`)
  }
  const blocks = pemBlocks(text).filter((block) => block.label === 'CERTIFICATE')
  if (blocks.length > MAX_PEM_CERTIFICATES) {
    throw new MalformedCertificateError(`${what}: more than ${MAX_PEM_CERTIFICATES} certificates`)
  }
  return blocks.map(({ der }, index) => {
    if (der.length > MAX_CERTIFICATE_BYTES) {
      throw new MalformedCertificateError(
        `${what}: certificate ${index + 1} is larger than ${MAX_CERTIFICATE_BYTES} bytes`,
      )
    }
    try {
      return new X509Certificate(der)
    } catch (cause) {
      throw new MalformedCertificateError(`${what}: certificate ${index + 1} cannot be parsed: ${messageOf(cause)}`, {
        cause,
      })
    }
  })
}

/** The certificates as one PEM bundle in this module's own layout. */
export function pemOfCertificates(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => toPem('CERTIFICATE', certificate.raw)).join('')
}

function pemBlocks(text: string): { label: string; der: Buffer }[] {
  return Array.from(text.matchAll(BLOCK), ([, label = '', body = '']) => ({ label, der: Buffer.from(body, 'base64') }))
}
