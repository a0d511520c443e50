import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { SocketAddress } from '@ambit/core'
import type { TestFn } from 'ava'
import { CLIENT, identity, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, clientProxy, type Decide, type Means, serverProxy, unserved } from './proxies.ts'

/** What two proxies must do together, whatever moves their bytes: user → client proxy → server proxy → application. */
export function proxyCompliance(
  test: TestFn,
  name: string,
  means: () => { readonly client: Means; readonly server: Means },
): void {
  const ca = new TestCa()
  const clientCertificate = ca.certify(CLIENT)
  const serverCertificate = ca.certify(SERVER)

  async function chain(onConnection: (socket: Socket) => void, decide?: Decide) {
    const { client, server } = means()
    const app = await application(onConnection)
    const far = await serverProxy(server, serverCertificate, decide ?? (() => app.address))
    const near = await clientProxy(client, clientCertificate, far.address, SERVER)
    return {
      app,
      far,
      near,
      user: (): Socket => call(near.address),
      async [Symbol.asyncDispose]() {
        await near[Symbol.asyncDispose]()
        await far[Symbol.asyncDispose]()
        await app[Symbol.asyncDispose]()
      },
    }
  }
  /** A user who does not wait until it is connected: a reset may overtake that. */
  const call = (to: SocketAddress): Socket =>
    connect({ host: to.ip, port: to.port, allowHalfOpen: true }).on('error', () => undefined)
  const echo = (socket: Socket): void => void socket.pipe(socket)
  const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

  test(`${name}: bytes both ways, half-closed both ways, counted; the request says who asks for what`, async (t) => {
    const seen = Promise.withResolvers<Buffer>()
    await using m = await chain((socket) => {
      void readAll(socket).then((bytes) => {
        seen.resolve(bytes)
        socket.end('the answer')
      })
    })
    m.near.headers = { baggage: 'service.name=a', traceparent: 'x' }
    const user = m.user()
    user.end('question')
    t.is((await readAll(user)).toString(), 'the answer')
    t.is((await seen.promise).toString(), 'question')
    await until(() => m.near.results.length === 1 && m.far.results.length === 1)
    t.deepEqual(m.near.results, [{ aToB: 8, bToA: 10 }])
    t.deepEqual(m.far.results, [{ aToB: 8, bToA: 10 }])
    const [asked] = m.far.asked
    t.deepEqual(asked?.identity, CLIENT)
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', keyExchange: 'X25519MLKEM768' }
    t.deepEqual(asked?.tls, tls)
    t.deepEqual(m.near.tls, [tls])
    t.is(asked?.method, 'CONNECT')
    t.is(asked?.authority, '10.0.0.1:80')
    t.true(asked?.isPlainConnect)
    t.deepEqual({ ...asked?.headers }, { baggage: 'service.name=a', traceparent: 'x' })
  })

  test(`${name}: a rejected request resets its user, with the status, and spares the connection`, async (t) => {
    let status: number | undefined
    await using m = await chain(echo, () => status ?? m.app.address)
    for (status of [400, 401, 503]) {
      const user = m.user()
      user.write('x')
      await closed(user)
      t.regex(m.near.failures.at(-1)?.message ?? '', new RegExp(`http status: ${status}`))
    }
    status = undefined
    const user = m.user()
    user.end('x')
    t.is((await readAll(user)).toString(), 'x')
    t.is(m.far.connectionCount(), 1)
  })

  test(`${name}: many streams share one connection, each with its own bytes`, async (t) => {
    await using m = await chain(echo)
    const first = m.user()
    first.end('first')
    await readAll(first)
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const user = m.user()
        const bytes = randomBytes(1 + index * 1777)
        user.end(bytes)
        t.true(bytes.equals(await readAll(user)))
      }),
    )
    t.is(m.near.connectionCount(), 1)
    t.is(m.far.connectionCount(), 1)
  })

  test(`${name}: megabytes both ways at once arrive whole and in order`, async (t) => {
    await using m = await chain(echo)
    const user = m.user()
    const sent = createHash('sha256')
    const total = 24
    const got = readAll(user)
    for (let index = 0; index < total; index++) {
      const block = randomBytes(1 << 20)
      sent.update(block)
      if (!user.write(block)) await once(user, 'drain')
    }
    user.end()
    t.is(
      createHash('sha256')
        .update(await got)
        .digest('hex'),
      sent.digest('hex'),
    )
  })

  test(`${name}: a user that resets: its application is told, and no other stream is`, async (t) => {
    const apps: Socket[] = []
    await using m = await chain((socket) => {
      apps.push(socket)
      socket.pipe(socket)
    })
    const steady = m.user()
    steady.write('a')
    await once(steady, 'data')
    for (let round = 0; round < 5; round++) {
      const doomed = Array.from({ length: 30 }, () => m.user())
      for (const user of doomed) user.write('x')
      await Promise.all(doomed.map((user) => once(user, 'data')))
      const told = apps
        .slice(1)
        .filter(({ destroyed }) => !destroyed)
        .map(closed)
      for (const user of doomed) user.resetAndDestroy()
      await Promise.all(told)
    }
    t.is(m.far.connectionCount(), 1)
    steady.end('still here')
    t.is((await readAll(steady)).toString(), 'still here')
  })

  test(`${name}: an application that resets: its user is told`, async (t) => {
    await using m = await chain((socket) => socket.once('data', () => socket.resetAndDestroy()))
    const user = m.user()
    user.write('x')
    user.resume()
    user.once('end', () => user.end())
    await closed(user)
    await until(() => m.far.results.length === 1 && m.near.results.length === 1)
    t.is(m.far.connectionCount(), 1)
  })

  test(`${name}: an application that is not there is a 503`, async (t) => {
    using nobody = await unserved()
    await using m = await chain(echo, () => nobody.address)
    const user = m.user()
    await closed(user)
    t.regex(m.near.failures.at(-1)?.message ?? '', /http status: 503/)
  })

  test(`${name}: a slow reader stops the sender, with bounded memory, and mice run beside it`, async (t) => {
    let app: Socket | undefined
    await using m = await chain((socket) => {
      if (app !== undefined) return echo(socket)
      app = socket
      socket.pause()
    })
    const user = m.user()
    const block = Buffer.alloc(1 << 20)
    const total = 64
    let sent = 0
    const send = (): void => {
      while (sent < total) {
        sent++
        if (!user.write(block)) {
          user.once('drain', send)
          return
        }
      }
      user.end()
    }
    send()
    await until(() => app !== undefined)
    for (let round = 0; round < 50; round++) {
      const mouse = m.user()
      mouse.end('squeak')
      t.is((await readAll(mouse)).toString(), 'squeak')
    }
    let last = -1
    await until(() => {
      const before = last
      last = user.bytesWritten - user.writableLength
      return before === last && user.writableNeedDrain
    })
    const taken = user.bytesWritten - user.writableLength
    t.true(taken < 40 << 20, `${taken} bytes were taken from a sender nobody reads`)
    let received = 0
    app?.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    app?.resume()
    if (app !== undefined) await once(app, 'end')
    t.is(received, total << 20)
    app?.end()
  })

  test(`${name}: drain lets streams finish and refuses new ones on the connection`, async (t) => {
    await using m = await chain(echo)
    const user = m.user()
    user.write('a')
    await once(user, 'data')
    const drained = m.far.drain()
    user.end('last words')
    t.is((await readAll(user)).toString(), 'last words')
    await drained
    t.is(m.far.connectionCount(), 0)
  })

  test(`${name}: a server that closes takes its streams along`, async (t) => {
    await using m = await chain(echo)
    const user = m.user()
    user.write('a')
    await once(user, 'data')
    user.resume()
    user.once('end', () => user.end())
    const over = closed(user)
    await m.far.close()
    await over
    await until(() => m.near.connectionCount() === 0)
    t.pass()
  })

  test(`${name}: whoever is not who was expected gets no request`, async (t) => {
    const { client, server } = means()
    await using far = await serverProxy(server, serverCertificate, () => 500)
    await using near = await clientProxy(client, clientCertificate, far.address, identity('somebody-else'))
    const user = call(near.address)
    await closed(user)
    t.regex(near.failures[0]?.message ?? '', /identity mismatch/)
    t.is(far.asked.length, 0)
  })

  test(`${name}: certificates of another authority are refused, on both sides`, async (t) => {
    const { client, server } = means()
    const other = new TestCa()
    await using far = await serverProxy(server, serverCertificate, () => 500)
    await using near = await clientProxy(client, other.certify(CLIENT), far.address, SERVER)
    const user = call(near.address)
    await closed(user)
    t.is(far.asked.length, 0)
    t.regex(near.failures[0]?.message ?? '', /not trusted|unable to|self-signed|certificate/)
  })
}
