import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CertificateMaker } from '../../../packages/testing/src/index.ts'
import { bundle } from '../ca.ts'

/** Name in the certificates of servers that have no identity of the mesh. */
export const SERVER_NAME = 'web.bench'

/** Certificates as files, for programs that are not of the mesh: chain and key in one. */
export interface CredentialFiles {
  readonly roots: string
  /** Of the mesh: the client, the proxy when it goes on, and the server. */
  readonly client: string
  readonly proxy: string
  readonly server: string
  /** Of a server known by its name. */
  readonly named: string
}

export function writeCredentials(certificates: CertificateMaker, folder: string): CredentialFiles {
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const identity = (account: string): string => bundle(certificates.ca, `spiffe://cluster.local/ns/bench/sa/${account}`)
  const { chainPem, keyPem } = certificates.server([SERVER_NAME])
  return {
    roots: write('roots.pem', certificates.rootsPem),
    client: write('client.pem', identity('client')),
    proxy: write('proxy.pem', identity('proxy')),
    server: write('server.pem', identity('server')),
    named: write('named.pem', `${chainPem}${keyPem}`),
  }
}
