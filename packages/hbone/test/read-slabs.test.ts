import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, Socket } from 'node:net'
import { ip } from '@ambit/core'
import test from 'ava'
import { ReadSlabs, splice } from '../src/index.ts'
import { MAX_SPARE_SLABS } from '../src/limits.ts'
import { CLIENT, listen, newPool, readAll, SERVER, startServer, TestCa, tcpPair, until } from './mesh.ts'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

test('this Node lets accepted and connected sockets be read into slabs', async (t) => {
  using p = await tcpPair()
  const slabs = new ReadSlabs()
  t.true(slabs.attach(p.near, () => true))
  t.true(slabs.attach(p.far, () => true))
  t.false(
    slabs.attach(new Socket(), () => true),
    'a socket without a descriptor',
  )
})

test('bytes that arrived before come first, and none is lost or doubled when the taker pauses', async (t) => {
  using left = await tcpPair()
  using right = await tcpPair()
  const sent = randomBytes(3_000_000)
  left.far.write(sent.subarray(0, 100_000))
  await until(() => left.near.readableLength > 0)
  const slabs = new ReadSlabs()
  void splice(left.near, right.near, { slabs })
  right.far.pause()
  left.far.end(sent.subarray(100_000))
  await new Promise((resolve) => setImmediate(resolve))
  right.far.resume()
  t.is(sha256(await readAll(right.far)), sha256(sent))
})

test('many tunnels at once never see bytes of each other, and slabs come back', async (t) => {
  const ca = new TestCa()
  const [client, server] = [ca.certify(CLIENT), ca.certify(SERVER)]
  const slabs = new ReadSlabs()
  const app = await listen((socket) => void socket.pipe(socket), true)
  await using hbone = await startServer({
    certificate: () => server,
    onRequest: (request) => {
      const upstream = connect({ host: app.address.ip, port: app.address.port, allowHalfOpen: true })
      upstream.once('connect', () => void splice(request.accept(), upstream, { slabs }))
    },
  })
  await using pool = newPool({ certificate: () => Promise.resolve(client) })
  const outbound = await listen((socket) => {
    const opening = pool.open({
      source: CLIENT,
      sourceIp: ip('127.0.0.1'),
      to: hbone.address,
      expected: [SERVER],
      authority: 'a:1',
    })
    void opening.then((tunnel) => splice(socket, tunnel.stream, { slabs }))
  }, true)
  const one = async (size: number): Promise<void> => {
    const socket = connect({ host: outbound.address.ip, port: outbound.address.port, allowHalfOpen: true })
    const sent = randomBytes(size)
    const answer = readAll(socket)
    // In pieces of all sizes, so that small and large reads mix.
    for (let at = 0, piece = 1; at < size; at += piece, piece = (piece * 7) % 300_001) {
      if (!socket.write(sent.subarray(at, at + piece))) await once(socket, 'drain')
    }
    socket.end()
    t.is(sha256(await answer), sha256(sent))
  }
  await Promise.all(Array.from({ length: 24 }, (_, i) => one(300_000 * (i % 8) + i)))
  t.true(slabs.spareCount > 0 && slabs.spareCount <= MAX_SPARE_SLABS)
  outbound.server.close()
  app.server.close()
})
