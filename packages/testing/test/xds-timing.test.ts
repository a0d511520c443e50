import { discoverypb } from '@ambit/api'
import { DeltaClient } from '@ambit/xds'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientDuplexStream, credentials, type StatusObject } from '@grpc/grpc-js'
import test, { type ExecutionContext } from 'ava'
import { FakeClock, LoopbackSockets, RecordingLogger, RecordingMetrics, ScriptedXds, settle } from '../src/index.ts'

type Stream = ClientDuplexStream<discoverypb.DeltaDiscoveryRequest, discoverypb.DeltaDiscoveryResponse>

const ONE = 'type.example/one'
const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

/** A client that says only what the test says. */
function bareStream(t: ExecutionContext, server: ScriptedXds) {
  const client = new Client(
    `localhost:${server.port}`,
    credentials.createSsl(Buffer.from(server.certificates.rootsPem)),
  )
  t.teardown(() => client.close())
  const stream: Stream = client.makeBidiStreamRequest(
    PATH,
    (message) => Buffer.from(toBinary(discoverypb.DeltaDiscoveryRequestSchema, message)),
    (bytes) => fromBinary(discoverypb.DeltaDiscoveryResponseSchema, bytes),
  )
  const ended = Promise.withResolvers<StatusObject>()
  stream.on('status', ended.resolve)
  stream.on('error', () => {})
  const responses: discoverypb.DeltaDiscoveryResponse[] = []
  stream.on('data', (response) => responses.push(response))
  return { stream, responses, ended: ended.promise }
}

const hello = create(discoverypb.DeltaDiscoveryRequestSchema, { node: { id: 'n' }, typeUrl: ONE })

async function until(test: () => boolean): Promise<void> {
  while (!test()) await settle()
}

test('a stream that does not say who it is ends', async (t) => {
  const clock = new FakeClock()
  await using server = await ScriptedXds.start({ clock })
  const { stream, ended } = bareStream(t, server)
  // Nothing the server needs is in here, but the call is opened with the first message.
  stream.write(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: ONE }))
  t.is((await ended).code, 3)
})

test('a stream whose admission hangs ends', async (t) => {
  const clock = new FakeClock()
  const asked = Promise.withResolvers<void>()
  const hang = Promise.withResolvers<{ ok: true }>()
  await using server = await ScriptedXds.start({
    clock,
    authenticate: () => {
      asked.resolve()
      return hang.promise
    },
  })
  const { stream, ended } = bareStream(t, server)
  stream.write(hello)
  await asked.promise
  await clock.advance(10_000)
  t.is((await ended).code, 4)
  hang.resolve({ ok: true })
  await settle()
  t.is(server.delta.connections().length, 0)
})

test('a client that does not answer is let go, and is not sent more meanwhile', async (t) => {
  const clock = new FakeClock()
  await using server = await ScriptedXds.start({ clock })
  const { stream, responses, ended } = bareStream(t, server)
  stream.write(hello)
  await until(() => responses.length === 1)
  server.table.update(ONE, { upserts: [{ name: 'a', bytes: Uint8Array.of(1) }] })
  await clock.advance(59_000)
  t.is(responses.length, 1)
  await clock.advance(1_000)
  t.is((await ended).code, 4)
})

test('an answer to an older response frees nothing', async (t) => {
  const clock = new FakeClock()
  await using server = await ScriptedXds.start({ clock })
  const { stream, responses } = bareStream(t, server)
  const answer = (responseNonce: string) =>
    stream.write(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: ONE, responseNonce }))
  stream.write(hello)
  await until(() => responses.length === 1)
  server.table.update(ONE, { upserts: [{ name: 'a', bytes: Uint8Array.of(1) }] })
  await clock.advance(10)
  answer('bogus')
  answer(responses[0]?.nonce ?? '')
  await until(() => responses.length === 2)
  t.deepEqual(
    responses[1]?.resources.map(({ name }) => name),
    ['a'],
  )
  const [status] = server.delta.connections()[0]?.types ?? []
  t.is(status?.ackedNonce, responses[0]?.nonce)
  t.is(status?.sentNonce, responses[1]?.nonce)
})

test('changes close together are pushed together, and not put off for ever', async (t) => {
  const clock = new FakeClock()
  await using server = await ScriptedXds.start({ clock, debounceMs: 100, debounceMaxMs: 250 })
  const { stream, responses } = bareStream(t, server)
  stream.write(hello)
  await until(() => responses.length === 1)
  stream.write(
    create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl: ONE, responseNonce: responses[0]?.nonce ?? '' }),
  )
  await until(() => server.delta.connections()[0]?.types[0]?.ackedNonce !== '')
  for (let index = 0; index < 5; index++) {
    server.table.update(ONE, { upserts: [{ name: `r${index}`, bytes: Uint8Array.of(1) }] })
    await clock.advance(60)
  }
  await until(() => responses.length === 2)
  t.true((responses[1]?.resources.length ?? 0) >= 4, 'sent at the limit of 250 ms with what there was')
})

test('a client that cannot connect waits longer each time, up to 15 s', async (t) => {
  const clock = new FakeClock()
  const metrics = new RecordingMetrics()
  const client = new DeltaClient(
    { clock, logger: new RecordingLogger(), metrics },
    { address: 'https://localhost:1', root: { file: '/does/not/exist' }, token: 'none', node: { id: 'n' }, types: [] },
  )
  await using _ = client
  client.start()
  const attempts = () => metrics.value('istio_xds_connection_terminations', { reason: 'ConnectionError' })
  for (const [index, delay] of [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10_240, 15_000, 15_000].entries()) {
    await until(() => attempts() === index + 1 && clock.pending === 1)
    await clock.advance(delay - 1)
    t.is(attempts(), index + 1)
    await clock.advance(1)
  }
})

test('loopback sockets route mesh addresses and remember what was asked for', async (t) => {
  await using sockets = new LoopbackSockets()
  const accepted = Promise.withResolvers<string>()
  await sockets.listen({
    ip: '::' as never,
    port: 15008,
    onConnection: (socket) => {
      socket.once('data', (bytes) => accepted.resolve(bytes.toString()))
    },
  })
  const mesh = { ip: '10.0.0.1' as never, port: 15008 }
  const real = sockets.listener(15008)
  if (real === undefined) throw new Error('not listening')
  sockets.route(mesh, real)
  const socket = await sockets.dial({ to: mesh, timeoutMs: 1_000 })
  socket.write('hello')
  t.is(await accepted.promise, 'hello')
  t.is(sockets.dials[0]?.to, mesh)
})

test('a fake clock runs what falls due, in order, and nothing else', async (t) => {
  const clock = new FakeClock(0)
  const ran: string[] = []
  clock.after(20, () => ran.push(`b${clock.now()}`))
  clock.after(10, () => {
    ran.push(`a${clock.now()}`)
    clock.after(5, () => ran.push(`c${clock.now()}`))
  })
  clock.after(10, () => ran.push('never'))[Symbol.dispose]()
  await clock.advance(19)
  t.deepEqual(ran, ['a10', 'c15'])
  await clock.advance(1)
  t.deepEqual(ran, ['a10', 'c15', 'b20'])
  await t.throwsAsync(clock.sleep(5, AbortSignal.abort(new Error('stop'))), { message: 'stop' })
})
