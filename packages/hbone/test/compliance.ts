import { once } from 'node:events'
import { ip } from '@ambit/core'
import type { TestFn } from 'ava'
import { type Engine, type HbonePool, type HboneRequest, splice } from '../src/index.ts'
import { CLIENT, dial, echo, newPool, readAll, SERVER, startServer, TestCa, tcpPair, until } from './mesh.ts'

export interface Pairing {
  readonly client: Engine
  readonly server: Engine
}

/** What every engine must do, against itself and against every other. */
export function engineCompliance(test: TestFn, name: string, { client, server }: Pairing): void {
  const ca = new TestCa()
  const clientCertificate = ca.certify(CLIENT)
  const serverCertificate = ca.certify(SERVER)

  async function mesh(onRequest: (request: HboneRequest) => void) {
    const running = await startServer({ certificate: () => serverCertificate, onRequest, engine: server })
    const pool = newPool({ certificate: () => Promise.resolve(clientCertificate), engine: client })
    const open = (overrides: Partial<Parameters<HbonePool['open']>[0]> = {}) =>
      pool.open({
        source: CLIENT,
        sourceIp: ip('127.0.0.1'),
        to: running.address,
        expected: [SERVER],
        authority: '10.0.0.1:80',
        ...overrides,
      })
    return {
      ...running,
      pool,
      open,
      async [Symbol.asyncDispose]() {
        await pool.close()
        await running[Symbol.asyncDispose]()
      },
    }
  }

  test(`${name}: an accepted CONNECT carries bytes both ways and half-closes`, async (t) => {
    const seen: HboneRequest[] = []
    await using m = await mesh((request) => {
      seen.push(request)
      echo(request)
    })
    const tunnel = await m.open({ headers: { baggage: 'service.name=a', traceparent: 'x' } })
    tunnel.stream.end('hello')
    t.is((await readAll(tunnel.stream)).toString(), 'hello')
    const [request] = seen
    t.is(request?.method, 'CONNECT')
    t.is(request?.authority, '10.0.0.1:80')
    t.true(request?.isPlainConnect)
    t.is(request?.headers['baggage'], 'service.name=a')
    t.deepEqual(request?.peer.identity, CLIENT)
    t.deepEqual(tunnel.peer, SERVER)
    t.deepEqual(tunnel.tls, { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', keyExchange: 'X25519MLKEM768' })
    t.deepEqual(request?.tls, tunnel.tls)
    t.is(request?.remote.ip, ip('127.0.0.1'))
    t.is(request?.local.port, m.address.port)
  })

  test(`${name}: the answer's headers reach the client, and no others`, async (t) => {
    await using m = await mesh((request) => request.accept({ baggage: 'service.name=b' }))
    const tunnel = await m.open()
    t.deepEqual({ ...tunnel.responseHeaders }, { baggage: 'service.name=b' })
  })

  for (const status of [400, 401, 503]) {
    test(`${name}: a request rejected with ${status} fails with that status and spares the connection`, async (t) => {
      let reject = true
      await using m = await mesh((request) => (reject ? request.reject(status) : echo(request)))
      await t.throwsAsync(m.open(), { code: 'ERR_HBONE_STATUS', message: new RegExp(`http status: ${status}`) })
      reject = false
      const tunnel = await m.open()
      tunnel.stream.end('x')
      t.is((await readAll(tunnel.stream)).toString(), 'x')
      t.is(m.pool.connectionCount, 1)
    })
  }

  test(`${name}: the server sends while the client has already ended`, async (t) => {
    await using m = await mesh((request) => {
      const stream = request.accept()
      void readAll(stream).then((got) => stream.end(`got ${got.toString()}`))
    })
    const tunnel = await m.open()
    tunnel.stream.end('all')
    t.is((await readAll(tunnel.stream)).toString(), 'got all')
  })

  test(`${name}: streams share one connection`, async (t) => {
    await using m = await mesh(echo)
    const tunnels = await Promise.all(Array.from({ length: 20 }, () => m.open()))
    t.is(m.pool.connectionCount, 1)
    t.is(m.hbone.connectionCount, 1)
    await Promise.all(
      tunnels.map(async (tunnel, index) => {
        tunnel.stream.end(String(index))
        t.is((await readAll(tunnel.stream)).toString(), String(index))
      }),
    )
  })

  test(`${name}: a cut by the client reaches the server as RST_STREAM CANCEL`, async (t) => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>()
    await using m = await mesh((request) => {
      const stream = request.accept()
      stream.resume()
      stream.on('close', () => resolve(stream.rstCode))
    })
    const tunnel = await m.open()
    await tunnel[Symbol.asyncDispose]()
    t.is(await promise, 8)
  })

  test(`${name}: 1,500 abrupt resets do not disturb another stream of the connection`, async (t) => {
    await using m = await mesh(echo)
    const steady = await m.open()
    for (let round = 0; round < 30; round++) {
      const doomed = await Promise.all(Array.from({ length: 50 }, () => m.open()))
      for (const tunnel of doomed) tunnel.stream.write('x')
      await Promise.all(
        doomed.map(async (tunnel) => {
          const closed = new Promise((resolve) => tunnel.stream.once('close', resolve))
          await tunnel[Symbol.asyncDispose]()
          await closed
        }),
      )
    }
    t.is(m.hbone.connectionCount, 1)
    steady.stream.end('still here')
    t.is((await readAll(steady.stream)).toString(), 'still here')
  })

  test(`${name}: a spliced tunnel half-closes both ways and counts bytes`, async (t) => {
    using app = await tcpPair()
    const serverSide = Promise.withResolvers<Awaited<ReturnType<typeof splice>>>()
    await using m = await mesh((request) => void splice(request.accept(), app.near).then(serverSide.resolve))
    using user = await tcpPair()
    const tunnel = await m.open()
    const clientSide = splice(user.near, tunnel.stream)
    user.far.end('question')
    t.is((await readAll(app.far)).toString(), 'question')
    app.far.end('the answer')
    t.is((await readAll(user.far)).toString(), 'the answer')
    t.deepEqual(await clientSide, { aToB: 8, bToA: 10 })
    t.deepEqual(await serverSide.promise, { aToB: 8, bToA: 10 })
  })

  test(`${name}: a slow reader stops the sender, with bounded memory`, async (t) => {
    using app = await tcpPair()
    await using m = await mesh((request) => void splice(request.accept(), app.near))
    using user = await tcpPair()
    const tunnel = await m.open()
    const counters = { aToB: 0, bToA: 0 }
    void splice(user.near, tunnel.stream, { counters })
    app.far.pause()
    const block = Buffer.alloc(1 << 20)
    const total = 150
    let sent = 0
    const send = (): void => {
      while (sent < total) {
        sent++
        if (!user.far.write(block)) {
          user.far.once('drain', send)
          return
        }
      }
      user.far.end()
    }
    send()
    let last = -1
    await until(() => {
      const before = last
      last = counters.aToB
      return counters.aToB > 0 && before === last && user.far.writableNeedDrain
    })
    // 4 MiB of stream window on top of what kernels and buffers of ours hold.
    t.true(counters.aToB < 40 << 20, `${counters.aToB} bytes were taken from a sender nobody reads`)
    let received = 0
    app.far.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    app.far.resume()
    await once(app.far, 'end')
    t.is(received, total << 20)
  })

  test(`${name}: three streams that nobody reads do not stop a fourth`, async (t) => {
    await using m = await mesh((request) =>
      request.authority === '10.0.0.9:9' ? void request.accept() : echo(request),
    )
    for (let i = 0; i < 3; i++) {
      const unread = await m.open({ authority: '10.0.0.9:9' })
      // More than the stream window, so that it fills.
      unread.stream.write(Buffer.alloc(6 << 20))
    }
    const lively = await m.open()
    t.is(m.pool.connectionCount, 1)
    lively.stream.end(Buffer.alloc(8 << 20, 'x'))
    t.is((await readAll(lively.stream)).length, 8 << 20)
  })

  test(`${name}: drain lets streams finish and refuses new ones on the connection`, async (t) => {
    await using m = await mesh(echo)
    const tunnel = await m.open()
    const drained = m.hbone.drain(60_000)
    await until(() => m.pool.availableCount === 0)
    tunnel.stream.end('last words')
    t.is((await readAll(tunnel.stream)).toString(), 'last words')
    await drained
    t.is(m.hbone.connectionCount, 0)
  })

  test(`${name}: drain ends a connection without streams, and doesn't wait for its deadline`, async (t) => {
    await using m = await mesh(echo)
    const tunnel = await m.open()
    tunnel.stream.end('done')
    await readAll(tunnel.stream)
    await until(() => m.pool.connectionCount === 1)
    await m.hbone.drain(60_000)
    t.is(m.hbone.connectionCount, 0)
    t.is(m.pool.availableCount, 0)
  })

  test(`${name}: drain ends a connection that its client ends meanwhile`, async (t) => {
    await using m = await mesh(echo)
    const tunnel = await m.open()
    tunnel.stream.end('done')
    await readAll(tunnel.stream)
    const drained = m.hbone.drain(60_000)
    await m.pool.close()
    await drained
    t.is(m.hbone.connectionCount, 0)
  })

  test(`${name}: close ends streams at once`, async (t) => {
    await using m = await mesh(echo)
    const tunnel = await m.open()
    tunnel.stream.resume()
    const closed = once(tunnel.stream, 'close')
    await m.hbone.close()
    await closed
    await until(() => m.pool.connectionCount === 0)
    t.pass()
  })

  test(`${name}: a lost connection ends its streams, and the next request dials anew`, async (t) => {
    await using m = await mesh(echo)
    const sockets: Awaited<ReturnType<typeof dial>>[] = []
    await using pool = newPool({
      certificate: () => Promise.resolve(clientCertificate),
      engine: client,
      dial: async (to) => {
        const socket = await dial(to)
        sockets.push(socket)
        return socket
      },
    })
    const request = {
      source: CLIENT,
      sourceIp: ip('127.0.0.1'),
      to: m.address,
      expected: [SERVER],
      authority: '10.0.0.1:80',
    }
    const tunnel = await pool.open(request)
    tunnel.stream.resume()
    const closed = once(tunnel.stream, 'close')
    sockets[0]?.resetAndDestroy()
    await closed
    const again = await pool.open(request)
    again.stream.end('x')
    t.is((await readAll(again.stream)).toString(), 'x')
    t.is(sockets.length, 2)
  })
}
