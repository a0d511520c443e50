import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CaMaterial, CertificateAuthority } from '@ambit/identity'
import { KubeApiError, type KubeClient, type KubeObject, type TokenVerdict } from '@ambit/kube'
import { FakeClock, RecordingLogger } from '@ambit/testing'
import { Metadata } from '@grpc/grpc-js'
import test from 'ava'
import { Authority } from '../src/ca/authority.ts'
import { bearerTokenOf } from '../src/ca/bearer-token.ts'
import { readPluggedCa } from '../src/ca/ca-material.ts'
import { loadOrCreateSelfSignedCa } from '../src/ca/self-signed-ca.ts'
import { ServingCredentials, servingNames } from '../src/ca/serving-credentials.ts'
import { TokenAuthenticator } from '../src/ca/token-authenticator.ts'

const make = (): CaMaterial & { rootsPem: string } => {
  const { ca, caCertPem, caKeyPem } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  return { caCertPem, caKeyPem, rootCertPem: caCertPem, rootsPem: ca.rootsPem }
}
const LIMITS = { defaultTtlSeconds: 3600, maxTtlSeconds: 7200 }

async function folderOf(files: Readonly<Record<string, string>>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'ambit-ca-'))
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content)
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a plugged CA is read under Istio’s names and under cert-manager’s', async (t) => {
  const { caCertPem, caKeyPem } = make()
  const spellings = [
    { 'ca-cert.pem': caCertPem, 'ca-key.pem': caKeyPem, 'root-cert.pem': caCertPem, 'cert-chain.pem': caCertPem },
    { 'tls.crt': caCertPem, 'tls.key': caKeyPem, 'ca.crt': caCertPem },
  ]
  for (const files of spellings) {
    await using folder = await folderOf(files)
    const material = await readPluggedCa(folder.path)
    t.is(material && CertificateAuthority.load(material).rootsPem.trim(), caCertPem.trim())
  }
})

test('no folder and an empty folder are no plugged CA; half of one is an error that names what lacks', async (t) => {
  t.is(await readPluggedCa('/nowhere/at/all'), undefined)
  await using folder = await folderOf({ 'ca-cert.pem': 'x' })
  const error = await t.throwsAsync(readPluggedCa(folder.path), { code: 'CA_SETUP' })
  t.regex(error?.message ?? '', /lacks ca-key\.pem and root-cert\.pem/)
})

test('of two replicas that make a root at the same time both end with the same', async (t) => {
  let stored: KubeObject | undefined
  const client = {
    get: () => Promise.resolve(stored),
    create: (_kind: unknown, object: KubeObject) => {
      if (stored !== undefined) return Promise.reject(new KubeApiError('exists', 409, 'AlreadyExists'))
      stored = object
      return Promise.resolve(object)
    },
    update: () => Promise.reject(new Error('a root is never replaced')),
  } as unknown as Pick<KubeClient, 'get' | 'create' | 'update'>
  const options = { namespace: 'istio-system', trustDomain: 'cluster.local' }
  const [a, b] = await Promise.all([
    loadOrCreateSelfSignedCa(client, options),
    loadOrCreateSelfSignedCa(client, options),
  ])
  t.is(a.caKeyPem, b.caKeyPem)
  t.is((stored as { type?: string } | undefined)?.type, 'istio.io/ca-root')
})

test('a secret without its key is an error, not a new root', async (t) => {
  const client = {
    get: () =>
      Promise.resolve({ metadata: { namespace: 'n', name: 'istio-ca-secret' }, data: { 'ca-cert.pem': 'eA==' } }),
  } as unknown as Pick<KubeClient, 'get' | 'create' | 'update'>
  await t.throwsAsync(loadOrCreateSelfSignedCa(client, { namespace: 'n', trustDomain: 'td' }), { code: 'CA_SETUP' })
})

test('new material replaces the authority; wrong material leaves it', async (t) => {
  const first = make()
  const second = make()
  let material: CaMaterial = first
  const logger = new RecordingLogger()
  const read = (): Promise<CaMaterial> => Promise.resolve(material)
  const authority = await Authority.load({ read, clock: new FakeClock(), logger }, LIMITS)
  t.is(authority.current.value.rootsPem, first.rootsPem)
  material = { ...second, caKeyPem: first.caKeyPem }
  await authority.reload()
  t.is(authority.current.value.rootsPem, first.rootsPem)
  material = second
  await authority.reload()
  t.is(authority.current.value.rootsPem, second.rootsPem)
  const said = JSON.stringify(logger.records)
  t.regex(said, /the old stays in force/)
  t.false(said.includes('PRIVATE KEY'), 'no key in the log')
})

test('the serving certificate is renewed with time and with the authority', async (t) => {
  const clock = new FakeClock(Date.now())
  let material: CaMaterial = make()
  const read = (): Promise<CaMaterial> => Promise.resolve(material)
  const authority = await Authority.load({ read, clock, logger: new RecordingLogger() }, LIMITS)
  using credentials = new ServingCredentials(
    { authority: authority.current, clock, logger: new RecordingLogger() },
    servingNames('istio-system', 'default', 'cluster.local'),
  )
  const certificate = (): unknown => credentials._getSecureContextOptions()?.cert
  const first = certificate()
  await clock.advance(21 * 24 * 3600 * 1000)
  const second = certificate()
  t.not(second, first)
  material = make()
  await authority.reload()
  t.not(certificate(), second)
})

test('a CA that expires ends nothing but its certificates, and its successor is taken; an expired one never is', async (t) => {
  const clock = new FakeClock(Date.now())
  const logger = new RecordingLogger()
  const hour = 3600_000
  const short = (): CaMaterial =>
    CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local', now: clock.now(), ttlMs: hour })
  let material = short()
  const read = (): Promise<CaMaterial> => Promise.resolve(material)
  const authority = await Authority.load({ read, clock, logger }, LIMITS)
  using credentials = new ServingCredentials({ authority: authority.current, clock, logger }, ['istiod'])
  const certificate = (): unknown => credentials._getSecureContextOptions()?.cert
  const expired = short()
  await clock.advance(hour + 60_000)
  t.regex(JSON.stringify(logger.records), /serving certificate cannot be renewed: the CA certificate expired/)
  const last = certificate()
  await t.throwsAsync(Authority.load({ read, clock, logger }, LIMITS), { message: /expired/ })
  material = make()
  await authority.reload()
  t.not(certificate(), last)
  const { rootsPem } = authority.current.value
  material = expired
  await authority.reload()
  t.is(authority.current.value.rootsPem, rootsPem)
})

test('the control plane is known by Istio’s names', (t) => {
  const names = servingNames('istio-system', 'canary', 'cluster.local')
  for (const name of ['istiod', 'istiod-remote', 'istio-pilot', 'istiod-canary'])
    t.true(names.includes(`${name}.istio-system.svc`))
})

test('a token is reviewed once in a while, a refused one every time', async (t) => {
  const clock = new FakeClock()
  const asked: string[] = []
  const caller = { namespace: 'n', serviceAccount: 's', podName: undefined, podUid: undefined }
  const tokens = new TokenAuthenticator({
    clock,
    review: (token): Promise<TokenVerdict> => {
      asked.push(token)
      return Promise.resolve(
        token === 'good' ? { authenticated: true, caller } : { authenticated: false, reason: 'bad' },
      )
    },
  })
  await Promise.all([tokens.authenticate('good'), tokens.authenticate('good')])
  await tokens.authenticate('good')
  t.deepEqual(asked, ['good'])
  await clock.advance(10_001)
  await tokens.authenticate('good')
  t.deepEqual(asked, ['good', 'good'])
  await tokens.authenticate('bad')
  await tokens.authenticate('bad')
  t.deepEqual(asked.slice(2), ['bad', 'bad'])
})

test('a review that fails is not remembered', async (t) => {
  let fail = true
  const tokens = new TokenAuthenticator({
    clock: new FakeClock(),
    review: () =>
      fail ? Promise.reject(new Error('API server away')) : Promise.resolve({ authenticated: false, reason: 'no' }),
  })
  await t.throwsAsync(tokens.authenticate('x'))
  fail = false
  t.like(await tokens.authenticate('x'), { authenticated: false })
})

test('the bearer token is read, anything else is none', (t) => {
  const of = (value: string): string | undefined => {
    const metadata = new Metadata()
    metadata.set('authorization', value)
    return bearerTokenOf(metadata)
  }
  t.is(of('Bearer abc'), 'abc')
  t.is(of('Basic abc'), undefined)
  t.is(of('Bearer '), undefined)
  t.is(of(`Bearer ${'x'.repeat(100_000)}`), undefined)
  t.is(bearerTokenOf(new Metadata()), undefined)
})
