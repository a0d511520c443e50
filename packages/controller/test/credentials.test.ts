// Secrets that listeners name are read by name, followed while they are named, and no others.
import { CertificateAuthority } from '@ambit/identity'
import { KINDS, KubeClient, type KubeObject } from '@ambit/kube'
import { RecordingLogger } from '@ambit/testing'
import test from 'ava'
import type { Credential } from '../src/ingress.types.ts'
import { MAX_WATCHED_CREDENTIALS } from '../src/limits.ts'
import { CredentialWatches } from '../src/watch/watch-credentials.ts'
import { startTestCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'

const certificate = (): { readonly data: Readonly<Record<string, string>>; readonly pem: string } => {
  const { caCertPem, caKeyPem } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  const encode = (text: string): string => Buffer.from(text).toString('base64')
  return { data: { 'tls.crt': encode(caCertPem), 'tls.key': encode(caKeyPem) }, pem: caCertPem }
}

const secret = (name: string, data: Readonly<Record<string, string>>): KubeObject => {
  const object: KubeObject & { readonly data: unknown; readonly type: string } = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'demo', name },
    type: 'kubernetes.io/tls',
    data,
  }
  return object
}

/** Stands where the index stands. */
class Names {
  readonly held = new Map<string, Credential>()
  #listener: (names: Iterable<string>) => void = () => {}

  onCredentials(listener: (names: Iterable<string>) => void): void {
    this.#listener = listener
  }

  put(_kind: unknown, namespace: string, name: string, value: unknown): void {
    if (value === undefined) this.held.delete(`${namespace}/${name}`)
    else this.held.set(`${namespace}/${name}`, value as Credential)
  }

  want(...names: readonly string[]): void {
    this.#listener(names)
  }

  chain(name: string): string {
    return Buffer.from(this.held.get(name)?.certificateChainPem ?? []).toString()
  }
}

test('a Secret is read when it is named, followed, and forgotten when it no longer is', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  await cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } })
  const [first, second, other] = [certificate(), certificate(), certificate()]
  await cluster.put(secret('web', first.data))
  await cluster.put(secret('other', other.data))
  const names = new Names()
  using watches = new CredentialWatches({ client: cluster.client, index: names, logger })
  t.deepEqual([...names.held.keys()], [])
  names.want('demo/web', 'demo/absent')
  await watches.synced
  t.deepEqual([...names.held.keys()].sort(), ['demo/absent', 'demo/web'])
  t.is(names.chain('demo/web'), first.pem)
  t.like(names.held.get('demo/absent'), { found: false, certificateProblem: 'secret demo/absent not found' })
  await cluster.put(secret('web', second.data))
  await eventually(() => Promise.resolve(names.chain('demo/web') === second.pem))
  await cluster.client.delete(KINDS.secret, { namespace: 'demo', name: 'web' })
  await eventually(() => Promise.resolve(names.held.get('demo/web')?.found === false))
  await cluster.put(secret('absent', other.data))
  await eventually(() => Promise.resolve(names.chain('demo/absent') === other.pem))
  names.want('demo/web')
  t.deepEqual([...names.held.keys()], ['demo/web'])
  t.false(JSON.stringify(logger.records).includes('PRIVATE KEY'))
})

test('a Secret that may not be read is known as such, and read as soon as it may', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  await cluster.put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'demo' } })
  await cluster.put({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: 'demo', name: 'istiod' } })
  const { data, pem } = certificate()
  await cluster.put(secret('web', data))
  const token = await cluster.apiToken({ namespace: 'demo', serviceAccount: 'istiod' })
  using client = new KubeClient(cluster.configFor(token))
  const names = new Names()
  using watches = new CredentialWatches({ client, index: names, logger })
  names.want('demo/web')
  await watches.synced
  t.is(
    names.held.get('demo/web')?.certificateProblem,
    'secret demo/web can not be read: the control plane has no right to',
  )
  const subjects = [{ kind: 'ServiceAccount', namespace: 'demo', name: 'istiod' }]
  const metadata = { namespace: 'demo', name: 'credentials' }
  const group = 'rbac.authorization.k8s.io'
  const rules = [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }]
  const role: KubeObject & { readonly rules: unknown } = { apiVersion: `${group}/v1`, kind: 'Role', metadata, rules }
  const roleRef = { apiGroup: group, kind: 'Role', name: 'credentials' }
  const binding: KubeObject & { readonly roleRef: unknown; readonly subjects: unknown } = {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata,
    roleRef,
    subjects,
  }
  await cluster.put(role)
  await cluster.put(binding)
  await eventually(() => Promise.resolve(names.chain('demo/web') === pem), 40_000)
})

test('more Secrets than that are not watched, and that is said once', async (t) => {
  const logger = new RecordingLogger()
  await using cluster = await startTestCluster(logger)
  const names = new Names()
  using watches = new CredentialWatches({ client: cluster.client, index: names, logger })
  const many = Array.from({ length: MAX_WATCHED_CREDENTIALS + 3 }, (_, i) => `demo/s${i}`)
  names.want(...many)
  names.want(...many)
  await watches.synced
  t.is(names.held.size, MAX_WATCHED_CREDENTIALS)
  t.is(logger.records.filter(({ message }) => message.startsWith('listeners name more than')).length, 1)
})
