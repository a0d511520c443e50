import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf } from '@ambit/core'
import type { CaMaterial } from '@ambit/identity'
import { CaSetupError } from '../errors.ts'

/** Largest file of a CA folder that is read, bytes. */
const MAX_FILE_BYTES: number = 1024 * 1024

/** A plugged CA: Istio's file names, or those cert-manager writes. Undefined when the folder holds neither. */
export async function readPluggedCa(folder: string): Promise<CaMaterial | undefined> {
  const [caCert, caKey, rootCert, certChain] = await Promise.all(
    ['ca-cert.pem', 'ca-key.pem', 'root-cert.pem', 'cert-chain.pem'].map((name) => readOptional(folder, name)),
  )
  if (caCert !== undefined || caKey !== undefined) {
    const missing = [
      ...(caCert === undefined ? ['ca-cert.pem'] : []),
      ...(caKey === undefined ? ['ca-key.pem'] : []),
      ...(rootCert === undefined ? ['root-cert.pem'] : []),
    ]
    if (caCert === undefined || caKey === undefined || missing.length > 0)
      throw new CaSetupError(`secret cacerts (${folder}) lacks ${missing.join(' and ')}: create it with all four files`)
    return { caCertPem: caCert, caKeyPem: caKey, rootCertPem: rootCert, certChainPem: certChain }
  }
  const [chain, key, root] = await Promise.all(
    ['tls.crt', 'tls.key', 'ca.crt'].map((name) => readOptional(folder, name)),
  )
  if (chain === undefined || key === undefined) return undefined
  if (root === undefined) throw new CaSetupError(`secret cacerts (${folder}) has tls.crt and tls.key but lacks ca.crt`)
  return { caCertPem: chain, caKeyPem: key, certChainPem: chain, rootCertPem: root }
}

async function readOptional(folder: string, name: string): Promise<string | undefined> {
  try {
    const content = await readFile(join(folder, name), 'utf8')
    if (content.length > MAX_FILE_BYTES)
      throw new CaSetupError(`${join(folder, name)} is above ${MAX_FILE_BYTES} bytes`)
    return content === '' ? undefined : content
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw new CaSetupError(`cannot read ${join(folder, name)}: ${messageOf(error)}`, { cause: error })
  }
}
