import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capb } from '@ambit/api'
import { formatSpiffeId } from '@ambit/core'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type handleUnaryCall, Server, ServerCredentials, status } from '@grpc/grpc-js'
import test from 'ava'
import {
  CertificateAuthority,
  createCsr,
  GrpcCaClient,
  type GrpcCaClientOptions,
  workloadCertificate,
} from '../src/index.ts'
import { ALICE, TextLogger } from './fixtures.ts'

interface Call {
  readonly authorization: string | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  readonly request: capb.IstioCertificateRequest
}

/** A CA server with a real authority behind it. */
async function caServer(dnsName = 'localhost') {
  const { ca } = CertificateAuthority.createSelfSigned({ trustDomain: 'cluster.local' })
  const calls: Call[] = []
  const control: { refuse: number | undefined } = { refuse: undefined }
  const { chainPem, keyPem } = ca.signServer({ dnsNames: [dnsName], ttlMs: 3_600_000 })
  const createCertificate: handleUnaryCall<capb.IstioCertificateRequest, capb.IstioCertificateResponse> = (
    call,
    answer,
  ) => {
    const metadata = call.metadata.getMap()
    calls.push({ authorization: String(metadata['authorization']), metadata, request: call.request })
    if (control.refuse !== undefined) {
      answer({ code: control.refuse, details: 'no' })
      return
    }
    const certChain = ca.sign({
      csrPem: call.request.csr,
      identity: ALICE,
      ttlSeconds: Number(call.request.validityDuration),
    })
    answer(null, create(capb.IstioCertificateResponseSchema, { certChain: [...certChain] }))
  }
  const server = new Server()
  server.addService(
    {
      createCertificate: {
        path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
        requestStream: false,
        responseStream: false,
        requestSerialize: (value: capb.IstioCertificateRequest) =>
          Buffer.from(toBinary(capb.IstioCertificateRequestSchema, value)),
        requestDeserialize: (bytes: Buffer) => fromBinary(capb.IstioCertificateRequestSchema, bytes),
        responseSerialize: (value: capb.IstioCertificateResponse) =>
          Buffer.from(toBinary(capb.IstioCertificateResponseSchema, value)),
        responseDeserialize: (bytes: Buffer) => fromBinary(capb.IstioCertificateResponseSchema, bytes),
      },
    },
    { createCertificate },
  )
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(chainPem), private_key: Buffer.from(keyPem) },
  ])
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  )
  return {
    ca,
    calls,
    control,
    port,
    address: `https://localhost:${port}`,
    [Symbol.dispose]: () => server.forceShutdown(),
  }
}

function client(
  options: Partial<GrpcCaClientOptions> & Pick<GrpcCaClientOptions, 'address' | 'root'>,
  logger = new TextLogger(),
): GrpcCaClient {
  return new GrpcCaClient(
    { logger },
    { token: { token: 'token-1' }, clusterId: 'Kubernetes', impersonate: true, ...options },
  )
}

async function temporaryDirectory() {
  const path = await mkdtemp(join(tmpdir(), 'ambit-ca-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a request carries token, cluster, identity and life; the answer makes a certificate', async (t) => {
  using server = await caServer()
  await using ca = client({ address: server.address, root: { pem: server.ca.rootsPem }, headers: { 'X-Extra': 'yes' } })
  const { csrPem, privateKey } = createCsr(ALICE)
  const certChain = await ca.createCertificate({ csrPem, identity: ALICE, ttlSeconds: 3600 })
  t.deepEqual(workloadCertificate({ identity: ALICE, privateKey, certChain, now: Date.now() }).identity, ALICE)
  const [call] = server.calls
  t.is(call?.authorization, 'Bearer token-1')
  t.is(call?.metadata['clusterid'], 'Kubernetes')
  t.is(call?.metadata['x-extra'], 'yes')
  t.deepEqual(call?.request.metadata, { ImpersonatedIdentity: formatSpiffeId(ALICE) })
  t.is(call?.request.validityDuration, 3600n)
  t.is(call?.request.csr, csrPem)
})

test('in dedicated mode no identity is named', async (t) => {
  using server = await caServer()
  await using ca = client({
    address: server.address,
    root: { pem: server.ca.rootsPem },
    impersonate: false,
    token: 'none',
  })
  await ca.createCertificate({ csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 })
  t.is(server.calls[0]?.request.metadata, undefined)
  t.is(server.calls[0]?.authorization, 'undefined')
})

test('the token file is read for every call', async (t) => {
  using server = await caServer()
  await using directory = await temporaryDirectory()
  const file = join(directory.path, 'istio-token')
  await using ca = client({ address: server.address, root: { pem: server.ca.rootsPem }, token: { file } })
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  await writeFile(file, 'first\n')
  await ca.createCertificate(request)
  await writeFile(file, 'second')
  await ca.createCertificate(request)
  t.deepEqual(
    server.calls.map((call) => call.authorization),
    ['Bearer first', 'Bearer second'],
  )
  await writeFile(file, ' \n')
  await t.throwsAsync(ca.createCertificate(request), { code: 'ERR_CA_TOKEN', message: /is empty/ })
  await rm(file)
  await t.throwsAsync(ca.createCertificate(request), { code: 'ERR_CA_TOKEN', message: /ENOENT/ })
})

test('roots replaced by a symbolic link swap are used for the next call', async (t) => {
  using first = await caServer()
  using second = await caServer()
  await using directory = await temporaryDirectory()
  // As the kubelet mounts a ConfigMap: file -> ..data/file, ..data -> a directory that is replaced as a whole.
  const at = (...names: string[]) => join(directory.path, ...names)
  await mkdir(at('v1'))
  await mkdir(at('v2'))
  await writeFile(at('v1', 'root-cert.pem'), first.ca.rootsPem)
  await writeFile(at('v2', 'root-cert.pem'), second.ca.rootsPem)
  await symlink('v1', at('..data'))
  await symlink(join('..data', 'root-cert.pem'), at('root-cert.pem'))
  const root = { file: at('root-cert.pem') }
  await using toFirst = client({ address: first.address, root })
  await using toSecond = client({ address: second.address, root })
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  await toFirst.createCertificate(request)
  await t.throwsAsync(toSecond.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
  await symlink('v2', at('..data.new'))
  await rename(at('..data.new'), at('..data'))
  t.is((await toSecond.createCertificate(request)).length, 2)
  await t.throwsAsync(toFirst.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
})

test('missing or unreadable roots are an error that says where they come from', async (t) => {
  await using missing = client({ address: 'https://localhost:1', root: { file: '/nonexistent/root-cert.pem' } })
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  await t.throwsAsync(missing.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE', message: /istio-ca-root-cert/ })
  await using damaged = client({
    address: 'https://localhost:1',
    root: { pem: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' },
  })
  await t.throwsAsync(damaged.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
})

test('a server under another name is refused, unless that name is the accepted alternative', async (t) => {
  using server = await caServer('istiod.istio-system.svc')
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  const root = { pem: server.ca.rootsPem }
  await using strict = client({ address: server.address, root })
  await t.throwsAsync(strict.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
  await using lenient = client({ address: server.address, root, altHostname: 'istiod.istio-system.svc' })
  t.is((await lenient.createCertificate(request)).length, 2)
})

test('a CA named by its address is verified by that address', async (t) => {
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  using right = await caServer('127.0.0.1')
  await using accepted = client({ address: `https://127.0.0.1:${right.port}`, root: { pem: right.ca.rootsPem } })
  t.is((await accepted.createCertificate(request)).length, 2)
  using wrong = await caServer('istiod.istio-system.svc')
  await using refused = client({ address: `https://127.0.0.1:${wrong.port}`, root: { pem: wrong.ca.rootsPem } })
  await t.throwsAsync(refused.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
})

for (const [name, code, expected] of [
  ['UNAUTHENTICATED', status.UNAUTHENTICATED, 'ERR_CA_REFUSED'],
  ['PERMISSION_DENIED', status.PERMISSION_DENIED, 'ERR_CA_REFUSED'],
  ['UNAVAILABLE', status.UNAVAILABLE, 'ERR_CA_UNAVAILABLE'],
  ['INTERNAL', status.INTERNAL, 'ERR_CA_UNAVAILABLE'],
] as const) {
  test(`${name} from the CA is ${expected}, without the token in it`, async (t) => {
    using server = await caServer()
    server.control.refuse = code
    const logger = new TextLogger()
    await using ca = client(
      { address: server.address, root: { pem: server.ca.rootsPem }, token: { token: 'secret-token' } },
      logger,
    )
    const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
    const error = await t.throwsAsync(ca.createCertificate(request), { code: expected, message: new RegExp(name) })
    t.false(`${error?.stack} ${JSON.stringify(error)} ${logger.lines.join()}`.includes('secret-token'))
  })
}

test('the client recovers when the CA comes back on the same port', async (t) => {
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  using server = await caServer()
  await using ca = client({ address: server.address, root: { pem: server.ca.rootsPem } })
  server.control.refuse = status.UNAVAILABLE
  await t.throwsAsync(ca.createCertificate(request), { code: 'ERR_CA_UNAVAILABLE' })
  server.control.refuse = undefined
  t.is((await ca.createCertificate(request)).length, 2)
})

test('a CA that accepts but never speaks is given up after the connect timeout', async (t) => {
  const left = Promise.withResolvers<void>()
  const silent = createTcpServer(
    (socket) =>
      void socket
        .on('error', () => undefined)
        .resume()
        .once('close', left.resolve),
  )
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  await using ca = client({
    address: `https://127.0.0.1:${port}`,
    root: { pem: CertificateAuthority.createSelfSigned({ trustDomain: 'x' }).ca.rootsPem },
    connectTimeoutMs: 100,
  })
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60 }
  await t.throwsAsync(ca.createCertificate(request), {
    code: 'ERR_CA_UNAVAILABLE',
    message: /no connection .* within 100 ms/,
  })
  // Otherwise every attempt at a mute CA would leave a connection behind.
  await left.promise
  silent.close()
})

test('a call is ended by its signal', async (t) => {
  const silent = createTcpServer((socket) => void socket.on('error', () => undefined).resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as AddressInfo
  await using ca = client({
    address: `https://127.0.0.1:${port}`,
    root: { pem: CertificateAuthority.createSelfSigned({ trustDomain: 'x' }).ca.rootsPem },
    connectTimeoutMs: 1000,
  })
  const abort = new AbortController()
  const request = { csrPem: createCsr(ALICE).csrPem, identity: ALICE, ttlSeconds: 60, signal: abort.signal }
  const call = ca.createCertificate(request)
  setImmediate(() => abort.abort(new Error('no longer needed')))
  await t.throwsAsync(call, { message: 'no longer needed' })
  silent.close()
})

test('plain text to the CA is not possible', (t) => {
  t.throws(() => client({ address: 'http://istiod:15010', root: 'SYSTEM' }), { instanceOf: TypeError })
})
