import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { type SocketAddress, silentLogger, systemClock } from '@ambit/core'
import type { WorkloadCertificate } from '@ambit/identity'
import { clientFd } from '@ambit/linux'
import type { TestFn } from 'ava'
import {
  type Engine,
  HboneServer,
  type HboneServerOptions,
  type Reactor,
  ReactorServer,
  splice,
  type TunnelRequest,
} from '../src/index.ts'
import { secureContextOptions } from '../src/secure-context.ts'
import { CLIENT, dial, identity, listen, readAll, SERVER, TestCa, until } from './mesh.ts'
import { application, listenWith, portOf } from './proxies.ts'

type Asked = Pick<TunnelRequest<unknown>, 'authority' | 'isPlainConnect' | 'method' | 'onGone' | 'peer' | 'reject'>

/** What the server does with a request that it does not take to the application: it answers, or fails. */
type Judge = (asked: Asked) => 'take' | void

interface Served extends AsyncDisposable {
  readonly address: SocketAddress
  readonly errors: Error[]
  readonly hbone: { readonly connectionCount: number; drain(deadlineMs: number): Promise<void> }
}

/** What a server of HBONE owes its peers and its owner, whatever moves its bytes. */
export function serverCompliance(test: TestFn, name: string, means: () => Engine | Reactor): void {
  const ca = new TestCa()
  const [clientCertificate, serverCertificate] = [ca.certify(CLIENT), ca.certify(SERVER)]

  async function serve(
    judge: Judge = () => 'take',
    options: HboneServerOptions = {},
    certificate: () => WorkloadCertificate | Promise<WorkloadCertificate> = () => serverCertificate,
  ): Promise<Served> {
    const by = means()
    const app = await application((socket) => void socket.pipe(socket))
    const errors: Error[] = []
    const common = {
      certificate,
      onTlsError: (error: Error) => void errors.push(error),
      clock: systemClock,
      logger: silentLogger,
    }
    if ('serve' in by) {
      const hbone = new HboneServer(
        {
          ...common,
          engine: by,
          onRequest: async (request) => {
            if (judge(request) === 'take') await splice(request.accept(), await dial(app.address, true))
          },
        },
        options,
      )
      const { server, address } = await listen((socket) => hbone.accept(socket), false)
      return {
        address,
        errors,
        hbone,
        async [Symbol.asyncDispose]() {
          server.close()
          await hbone.close()
          await app[Symbol.asyncDispose]()
        },
      }
    }
    const hbone = new ReactorServer(
      {
        ...common,
        reactor: by,
        onRequest: async (request) => {
          if (judge(request) !== 'take') return
          const fd = clientFd(undefined, app.address.ip, {})
          await request.acceptAndConnect(fd, { to: app.address, timeoutMs: 10_000 }).catch(() => undefined)
        },
      },
      options,
    )
    const { fd, listening } = listenWith(by, (connection) => hbone.accept(connection))
    return {
      address: await portOf(fd),
      errors,
      hbone,
      async [Symbol.asyncDispose]() {
        listening[Symbol.dispose]()
        await hbone.close()
        await app[Symbol.asyncDispose]()
      },
    }
  }

  function client(to: SocketAddress, options: ConnectionOptions = {}): TLSSocket {
    const tls = connectTls({
      ...secureContextOptions(clientCertificate),
      host: to.ip,
      port: to.port,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...options,
    })
    tls.on('error', () => undefined)
    return tls
  }

  function session(to: SocketAddress, options: ConnectionOptions = {}) {
    const http2 = connectHttp2('https://x', { createConnection: () => client(to, options) })
    http2.on('error', () => undefined)
    return http2
  }

  /** More than Node's own servers stand. */
  const RESETS = 3_000
  const CONNECT = { ':method': 'CONNECT', ':authority': '10.0.0.1:80' }

  async function status(http2: ReturnType<typeof session>, headers: Record<string, string> = CONNECT): Promise<number> {
    const stream = http2.request(headers, { endStream: false })
    stream.on('error', () => undefined)
    const [answer] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.destroy()
    return Number(answer[':status'])
  }

  /** A connection that never says a word, from an address of its own. */
  function silent(to: SocketAddress, from: string): Socket {
    const socket = connect({ host: to.ip, port: to.port, localAddress: from })
    return socket.on('error', () => undefined).resume()
  }

  const closed = (socket: Socket): Promise<unknown> => new Promise((resolve) => socket.once('close', resolve))

  for (const [what, options, message] of [
    ['no certificate', { key: '', cert: '' }, /certificate/],
    ['TLS 1.2', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, /version|protocol|unexpected message/i],
    ['another protocol', { ALPNProtocols: ['http/1.1'] }, /protocol|ALPN/i],
  ] satisfies [string, ConnectionOptions, RegExp][]) {
    test(`${name}: a client with ${what} is refused, and nobody is asked`, async (t) => {
      const asked: unknown[] = []
      await using s = await serve((request) => void asked.push(request))
      const tls = client(s.address, options)
      await closed(tls.resume())
      await until(() => s.errors.length > 0)
      t.regex(s.errors[0]?.message ?? '', message)
      t.is(asked.length, 0)
    })
  }

  test(`${name}: a client of another trust domain is refused, and nobody is asked`, async (t) => {
    await using s = await serve()
    const stranger = ca.certify(identity('client', 'elsewhere.local'))
    await closed(client(s.address, secureContextOptions(stranger)).resume())
    await until(() => s.errors.length > 0)
    t.regex(s.errors[0]?.message ?? '', /trust domain elsewhere\.local/)
  })

  test(`${name}: the certificate is asked for at each handshake, and none is a refusal`, async (t) => {
    let current: WorkloadCertificate | undefined = serverCertificate
    await using s = await serve(undefined, {}, () =>
      current === undefined ? Promise.reject(new Error('no certificate today')) : Promise.resolve(current),
    )
    const serial = async (): Promise<string | undefined> => {
      const tls = client(s.address)
      await once(tls, 'secureConnect')
      const shown = tls.getPeerX509Certificate()?.serialNumber
      t.false(tls.isSessionReused())
      tls.destroy()
      return shown
    }
    t.is(await serial(), serverCertificate.leaf.serialNumber)
    current = ca.certify(SERVER)
    t.is(await serial(), current.leaf.serialNumber)
    current = undefined
    await closed(client(s.address).resume())
    await until(() => s.errors.some(({ message }) => message === 'TLS handshake failed: no certificate today'))
  })

  test(`${name}: handshakes beyond the limit are refused at once, and their places are free again`, async (t) => {
    await using s = await serve(undefined, { maxPendingHandshakes: 2 })
    const sockets = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((from) => silent(s.address, from))
    await until(() => s.errors.length > 0)
    t.regex(s.errors[0]?.message ?? '', /2 handshakes are under way/)
    for (const socket of sockets) socket.destroy()
    await until(() => s.errors.length === 3)
    t.is(await status(session(s.address)), 200)
  })

  test(`${name}: one host cannot take the handshakes of all`, async (t) => {
    await using s = await serve(undefined, { maxPendingHandshakes: 4 })
    const sockets = [silent(s.address, '127.0.0.2'), silent(s.address, '127.0.0.2')]
    await until(() => s.errors.length > 0)
    t.regex(s.errors[0]?.message ?? '', /1 handshakes of 127\.0\.0\.2 are under way/)
    t.is(await status(session(s.address)), 200)
    for (const socket of sockets) socket.destroy()
  })

  test(`${name}: a client that says nothing is closed when its time is over`, async (t) => {
    await using s = await serve(undefined, { handshakeTimeoutMs: 100 })
    await closed(silent(s.address, '127.0.0.1'))
    await until(() => s.errors.length > 0)
    t.regex(s.errors[0]?.message ?? '', /did not complete within 100 ms/)
  })

  test(`${name}: connections beyond the limit are refused at once`, async (t) => {
    await using s = await serve(undefined, { maxConnections: 1 })
    t.is(await status(session(s.address)), 200)
    await closed(client(s.address).resume())
    await until(() => s.errors.length > 0)
    t.regex(s.errors[0]?.message ?? '', /1 connections are open/)
    t.is(s.hbone.connectionCount, 1)
  })

  test(`${name}: requests arrive as they are: who asks, by what method, plain or not`, async (t) => {
    const asked: Asked[] = []
    await using s = await serve((request) => {
      asked.push(request)
      request.reject(418)
    })
    const http2 = session(s.address)
    t.is(await status(http2), 418)
    t.is(await status(http2, { ':method': 'GET', ':scheme': 'https', ':path': '/', ':authority': 'a' }), 418)
    t.deepEqual(
      asked.map(({ method, authority, isPlainConnect, peer }) => [method, authority, isPlainConnect, peer.identity]),
      [
        ['CONNECT', '10.0.0.1:80', true, CLIENT],
        ['GET', 'a', false, CLIENT],
      ],
    )
    http2.destroy()
  })

  test(`${name}: whoever waits hears that the stream is gone`, async (t) => {
    const gone = Promise.withResolvers<void>()
    await using s = await serve((request) => void request.onGone(gone.resolve))
    const http2 = session(s.address)
    const stream = http2.request(CONNECT, { endStream: false })
    stream.on('error', () => undefined)
    await until(() => stream.id !== undefined && s.hbone.connectionCount === 1)
    stream.close(8)
    await gone.promise
    http2.destroy()
    await until(() => s.hbone.connectionCount === 0)
    t.pass()
  })

  test(`${name}: a handler that throws is a 503 and harms nobody else`, async (t) => {
    let fails = true
    await using s = await serve(() => {
      if (fails) throw new Error('a mistake of ours')
      return 'take'
    })
    const http2 = session(s.address)
    t.is(await status(http2), 503)
    fails = false
    t.is(await status(http2), 200)
    http2.destroy()
  })

  test(`${name}: the server tells its limits`, async (t) => {
    await using s = await serve(undefined, { maxConcurrentStreams: 17 })
    const http2 = session(s.address)
    await once(http2, 'remoteSettings')
    const { maxConcurrentStreams, maxHeaderListSize } = http2.remoteSettings
    t.deepEqual([maxConcurrentStreams, maxHeaderListSize], [17, 65536])
    http2.destroy()
  })

  test(`${name}: a client that answers no PING is dropped`, async (t) => {
    await using s = await serve(undefined, { intervalMs: 50, timeoutMs: 100 })
    const tls = client(s.address)
    tls.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
    await closed(tls.resume())
    await until(() => s.hbone.connectionCount === 0)
    t.pass()
  })

  test(`${name}: thousands of resets in a row leave other connections and the session alone`, async (t) => {
    let asked = 0
    await using s = await serve((request) => {
      asked++
      return asked > RESETS ? 'take' : request.onGone(() => undefined) && undefined
    })
    const http2 = session(s.address)
    await once(http2, 'remoteSettings')
    for (let sent = 0; sent < RESETS; sent += 100) {
      const over = Array.from({ length: 100 }, async () => {
        const stream = http2.request(CONNECT, { endStream: false })
        stream.on('error', () => undefined)
        const gone = new Promise((resolve) => stream.once('close', resolve))
        stream.close(8)
        await gone
      })
      await Promise.all(over)
    }
    await until(() => asked === RESETS)
    t.is(await status(http2), 200)
    t.is(s.hbone.connectionCount, 1)
    http2.destroy()
  })

  test(`${name}: a drain lets streams finish, and is over at its deadline`, async (t) => {
    await using s = await serve()
    const http2 = session(s.address)
    const stream = http2.request(CONNECT, { endStream: false })
    await once(stream, 'response')
    const goaway = once(http2, 'goaway')
    const drained = s.hbone.drain(60_000)
    await goaway
    stream.end('last words')
    t.is((await readAll(stream)).toString(), 'last words')
    await drained
    t.is(s.hbone.connectionCount, 0)
    await using other = await serve()
    const stuck = session(other.address)
    stuck.request(CONNECT, { endStream: false }).on('error', () => undefined)
    await until(() => other.hbone.connectionCount === 1)
    const over = new Promise((resolve) => stuck.once('close', resolve))
    await other.hbone.drain(100)
    await over
    t.is(other.hbone.connectionCount, 0)
    // Whoever comes now is not served.
    await closed(client(other.address).resume())
  })
}
