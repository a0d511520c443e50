import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Wiretap } from '../support/wiretap.ts'
import type { Narrator } from './narrator.ts'

const MANIFEST = join(import.meta.dirname, 'manifests', 'wiretap.yaml')
const NAMESPACE = 'demo-wiretap'

/** A wiretap on the link of the server's node: a pod in the node's own network. */
export async function tapNode(narrator: Narrator, serverIp: string): Promise<Wiretap> {
  const manifest = (await readFile(MANIFEST, 'utf8')).replaceAll('SERVER_IP', serverIp)
  await narrator.run('kubectl', ['apply', '-f', '-'], { input: manifest })
  const isReady = ['--for=condition=Ready', '--timeout=30s']
  await narrator.quiet('kubectl', ['wait', 'pod', '-n', NAMESPACE, 'wiretap', ...isReady])
  return await Wiretap.follow(narrator.env, NAMESPACE, 'wiretap')
}
