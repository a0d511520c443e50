import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Clock, codeOf, systemClock } from '@ambit/core'
import { addressBytes } from '@ambit/testing'
import test from 'ava'
import { ReactorDataPath } from '../src/data-path/reactor-data-path.ts'
import { type DataPaths, MIXED, testOnDataPaths } from './support/data-paths.ts'
import { Mesh, readAll, readSome } from './support/mesh.ts'

async function twoPods({ client, server }: DataPaths, env: Record<string, string> = {}) {
  const mesh = await Mesh.start()
  mesh.workload('a', 2)
  mesh.workload('b', 3)
  const [a, b] = await Promise.all([
    mesh.pod('a', 2, { dataPath: client }),
    mesh.pod('b', 3, { dataPath: server, env }),
  ])
  return { mesh, a, b }
}

const DENY_ALL = { name: 'deny-all', namespace: 'default', scope: 1, action: 0 } as const

testOnDataPaths(
  'bytes pass through HBONE both ways, the application sees its client, log and metrics agree',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    const { clients } = await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.end('hello')
    t.is(await readAll(client), 'hello')
    t.deepEqual(clients, [a.ip])

    const source = await a.lines.find(/connection complete/)
    t.regex(
      source,
      new RegExp(
        `^\\S+Z\\tinfo\\taccess\\tconnection complete\\tsrc.addr=${a.ip}:\\d+ src.workload="a" src.namespace="default" src.identity="spiffe://cluster.local/ns/default/sa/a" src.cluster="Kubernetes" ` +
          `dst.addr=${b.ip}:15008 dst.hbone_addr=${b.ip}:8080 dst.workload="b" dst.namespace="default" dst.identity="spiffe://cluster.local/ns/default/sa/b" dst.cluster="Kubernetes" ` +
          `direction="outbound" bytes_sent=5 bytes_recv=5 duration="\\d+ms" connection_id="[0-9a-f]{12}-[0-9a-z]+"$`,
      ),
    )
    const destination = await b.lines.find(/connection complete/)
    t.regex(
      destination,
      new RegExp(`dst.addr=${b.ip}:15008 dst.hbone_addr=${b.ip}:8080 .*direction="inbound" bytes_sent=5 bytes_recv=5`),
    )

    const stats = await b.stats()
    const labels = stats.match(/^istio_tcp_connections_opened_total\{(.*)\} 1$/m)?.[1] ?? ''
    t.regex(
      labels,
      /^reporter="destination",source_workload="a-deployment",source_canonical_service="a",source_canonical_revision="v1",source_workload_namespace="default",source_principal="spiffe:\/\/cluster.local\/ns\/default\/sa\/a",.*request_protocol="tcp",response_flags="-",connection_security_policy="mutual_tls"$/,
    )
    t.true(stats.includes(`istio_tcp_received_bytes_total{${labels}} 5\n`))
    t.true(stats.includes(`istio_tcp_sent_bytes_total{${labels}} 5\n`))
    t.true(stats.includes(`istio_tcp_connections_closed_total{${labels}} 1\n`))
    t.true(stats.endsWith('# EOF\n'))
  },
  MIXED,
)

testOnDataPaths(
  'a denied connection closes and the destination names the policy',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    await mesh.echo(3, 8080)
    mesh.policy({
      ...DENY_ALL,
      name: 'deny-8080',
      action: 1,
      rules: [{ clauses: [{ matches: [{ destinationPorts: [8080] }] }] }],
    })
    await changed(b)
    t.is(await answerOf(a.connectTo({ ip: b.ip, port: 8080 })), 'reset')
    const denied = await b.lines.find(/policy rejection/)
    t.regex(
      denied,
      /\terror\taccess\tconnection complete\t.*error="connection closed due to policy rejection: explicitly denied by: default\/deny-8080"$/,
    )
    t.regex(denied, /policies="default\/deny-8080"/)
    t.regex(await a.lines.find(/connection complete/), /error="http status: 401 Unauthorized"$/)
    t.regex(await b.stats(), /istio_tcp_connections_failed_total\{.*response_flags="DENY".*\} 1/)
  },
  MIXED,
)

testOnDataPaths(
  'a policy change cuts an open connection at once',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    const { sockets } = await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.write('ping')
    t.is(await readSome(client), 'ping')
    const cut = once(sockets[0] as Socket, 'error')
    const started = performance.now()
    mesh.policy(DENY_ALL)
    t.is(await readAll(client), '')
    t.true(performance.now() - started < 5000, 'a second on a machine that has nothing else to do')
    // Reset, not ended: the application must not take what came so far for all.
    t.is(codeOf(((await cut) as [Error])[0]), 'ECONNRESET')
    t.regex(
      await b.lines.find(/no longer allowed/),
      /\(spiffe:\/\/cluster.local\/ns\/default\/sa\/a\)->.*\(Kubernetes\/\/Pod\/default\/b\) closed because/,
    )
    t.regex(await b.lines.find(/connection complete/), /error="connection closed due to policy change"$/)
  },
  MIXED,
)

testOnDataPaths(
  'plaintext reaches the application with the address of the client, and is judged without an identity',
  async (t, paths) => {
    const { mesh, b } = await twoPods(paths)
    await using _ = mesh
    const { clients } = await mesh.echo(3, 8080)
    b.sockets.redirected.set(15006, { ip: b.ip, port: 8080 })
    const client = await mesh.dial(mesh.at(9), { ip: b.ip, port: 15006 })
    client.end('plain')
    t.is(await readAll(client), 'plain')
    t.deepEqual(clients, [mesh.at(9)])
    t.regex(await b.stats(), /opened_total\{reporter="destination",.*connection_security_policy="unknown"\} 1/)

    mesh.policy({
      name: 'strict',
      namespace: 'default',
      scope: 1,
      action: 1,
      rules: [{ clauses: [{ matches: [{ notPrincipals: [{ matchType: { case: 'presence', value: {} } }] }] }] }],
    })
    await changed(b)
    t.is(await answerOf(mesh.dial(mesh.at(9), { ip: b.ip, port: 15006 })), 'reset')
    t.regex(await b.lines.find(/policy rejection/), /explicitly denied by: default\/strict"$/)
  },
)

testOnDataPaths('an unknown destination is passed through as plain TCP', async (t, paths) => {
  const { mesh, a } = await twoPods(paths)
  await using _ = mesh
  await mesh.echo(77, 9000)
  const client = await a.connectTo({ ip: mesh.at(77), port: 9000 })
  client.end('out')
  t.is(await readAll(client), 'out')
  t.regex(await a.lines.find(/connection complete/), new RegExp(`dst.addr=${mesh.at(77)}:9000 direction="outbound"`))
})

testOnDataPaths(
  'a service is reached by its address, and one without endpoints fails instead of passing through',
  async (t, paths) => {
    const mesh = await Mesh.start()
    await using _ = mesh
    const serviceOf = (name: string, last: number) =>
      mesh.service({
        name,
        namespace: 'default',
        hostname: `${name}.default.svc.cluster.local`,
        addresses: [{ network: '', address: addressBytes(mesh.at(last)) }],
        ports: [{ servicePort: 80, targetPort: 8080 }],
      })
    serviceOf('web', 100)
    serviceOf('empty', 101)
    mesh.workload('a', 2)
    mesh.workload('b', 3, {
      services: { 'default/web.default.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: 8080 }] } },
    })
    const [a, b] = await Promise.all([
      mesh.pod('a', 2, { dataPath: paths.client }),
      mesh.pod('b', 3, { dataPath: paths.server }),
    ])
    await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: mesh.at(100), port: 80 })
    client.end('hi')
    t.is(await readAll(client), 'hi')
    t.regex(await b.lines.find(/connection complete/), /dst.service="web.default.svc.cluster.local"/)
    t.is(await answerOf(a.connectTo({ ip: mesh.at(101), port: 80 })), 'reset')
    t.regex(await a.lines.find(/no healthy/), new RegExp(`error="no healthy upstream: ${mesh.at(101)}:80"$`))
  },
)

testOnDataPaths('a connection to the proxy itself is refused', async (t, paths) => {
  const { mesh, a } = await twoPods(paths)
  await using _ = mesh
  t.is(await answerOf(a.connectTo({ ip: a.ip, port: 15001 })), 'reset')
  t.regex(
    await a.lines.find(/connection failed/),
    /\twarn\taccess\tconnection failed\t.*error="attempted recursive call to ourselves"$/,
  )
})

testOnDataPaths(
  'config_dump shows workloads, policies, certificates and open connections with their encryption',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    await mesh.echo(3, 8080)
    mesh.policy({ ...DENY_ALL, name: 'other', namespace: 'elsewhere' })
    await changed(b)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.write('x')
    await readSome(client)
    const dump = JSON.parse(await b.get('/config_dump')) as {
      dataPath: string
      workloads: { uid: string; workloadIps: string[]; protocol: string }[]
      policies: { name: string }[]
      certificates: { identity: string; state: string; certChain: { serialNumber: string }[]; rootCerts: unknown[] }[]
      workloadState: Record<string, { state: string; connections: { inbound: Record<string, unknown>[] } }>
    }
    t.deepEqual(dump.workloads.map(({ uid, protocol }) => `${uid} ${protocol}`).toSorted(), [
      'Kubernetes//Pod/default/a HBONE',
      'Kubernetes//Pod/default/b HBONE',
    ])
    t.deepEqual(
      dump.policies.map(({ name }) => name),
      ['other'],
    )
    t.is(dump.certificates[0]?.identity, 'spiffe://cluster.local/ns/default/sa/b')
    t.is(dump.certificates[0]?.state, 'Available')
    t.regex(dump.certificates[0]?.certChain[0]?.serialNumber ?? '', /^\d+$/)
    t.is(dump.certificates[0]?.rootCerts.length, 1)
    const pod = dump.workloadState['default/b']
    t.is(pod?.state, 'Up')
    const [row] = pod?.connections.inbound ?? []
    t.like(row, {
      protocol: 'HBONE',
      actualDst: `${b.ip}:8080`,
      originalDst: null,
      srcIdentity: 'spiffe://cluster.local/ns/default/sa/a',
      dstIdentity: 'spiffe://cluster.local/ns/default/sa/b',
      tlsVersion: 'TLSv1.3',
      keyExchange: 'X25519MLKEM768',
      bytesFromDownstream: 1,
    })
    t.is(dump.dataPath, paths.server)
    t.false(JSON.stringify(dump).includes('PRIVATE KEY'))
    const { workloadState } = JSON.parse(await a.get('/config_dump')) as {
      workloadState: Record<string, { connections: { outbound: Record<string, unknown>[] } }>
    }
    t.like(workloadState['default/a']?.connections.outbound[0], {
      protocol: 'HBONE',
      actualDst: `${b.ip}:15008`,
      srcIdentity: 'spiffe://cluster.local/ns/default/sa/a',
      dstIdentity: 'spiffe://cluster.local/ns/default/sa/b',
      tlsVersion: 'TLSv1.3',
      keyExchange: 'X25519MLKEM768',
      bytesFromDownstream: 1,
      bytesToDownstream: 1,
    })
  },
)

testOnDataPaths(
  'a drain refuses new connections, lets open ones finish and cuts the rest at the deadline',
  async (t, paths) => {
    // Time enough for a few bytes on a busy machine.
    const { mesh, a, b } = await twoPods(paths, { CONNECTION_TERMINATION_DEADLINE: '3s' })
    await using _ = mesh
    await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.write('1')
    await readSome(client)
    const drained = b.app.drain()
    client.write('2')
    t.is(await readSome(client), '2')
    await t.throwsAsync(mesh.dial(mesh.at(9), { ip: b.ip, port: 15006 }), { code: 'ECONNREFUSED' })
    await drained
    t.regex(await b.lines.find(/connection complete/), /error="connection closed due to connection drain"$/)
    t.is(await readAll(client), '')
  },
)

testOnDataPaths(
  'what a drain at the side of the client cuts, the client and the application see reset',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    const { sockets } = await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.write('1')
    t.is(await readSome(client), '1')
    const answer = answerOf(Promise.resolve(client))
    const ended = new Promise((resolve) => (sockets[0] as Socket).once('close', resolve))
    await a.app.drain()
    t.is(await answer, 'reset')
    await ended
    t.regex(await a.lines.find(/connection complete/), /error="connection closed due to connection drain"$/)
  },
)

testOnDataPaths('ends are passed on one by one, and what is said after one arrives', async (t, paths) => {
  const { mesh, a, b } = await twoPods(paths)
  await using _ = mesh
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.end('first')
    socket.setEncoding('utf8').on('data', (text: string) => heard.push(text))
    socket.once('end', () => over.resolve())
  })
  const heard: string[] = []
  const over = Promise.withResolvers<void>()
  server.listen({ host: b.ip, port: 8080 })
  await once(server, 'listening')
  mesh.defer(() => void server.close())
  const client = await a.connectTo({ ip: b.ip, port: 8080 })
  const first: string[] = []
  client.setEncoding('utf8').on('data', (text: string) => first.push(text))
  await once(client, 'end')
  t.deepEqual(first, ['first'], 'the end of the server came; the client may go on')
  client.end('last words')
  await over.promise
  t.is(heard.join(''), 'last words')
  t.regex(await b.lines.find(/connection complete/), /bytes_sent=5 bytes_recv=10 [^"]*"[^"]*" connection_id="[^"]*"$/)
})

test('a worker that crashes takes its own connections with it, and comes back', async (t) => {
  const mesh = await Mesh.start()
  await using _ = mesh
  mesh.workload('a', 2)
  mesh.workload('b', 3)
  let aheadMs = 0
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs }
  const [a, b] = await Promise.all([
    mesh.pod('a', 2, { dataPath: 'reactor', overrides: { clock } }),
    mesh.pod('b', 3, { dataPath: 'reactor' }),
  ])
  await mesh.echo(3, 8080)
  const client = await a.connectTo({ ip: b.ip, port: 8080 })
  client.write('1')
  t.is(await readSome(client), '1')
  t.true(a.app.dataPath instanceof ReactorDataPath)
  // Younger, it would be a loop of crashes.
  aheadMs = 2_000
  if (a.app.dataPath instanceof ReactorDataPath) for (const reactor of a.app.dataPath.reactors) reactor.crash()
  t.is(await answerOf(Promise.resolve(client)), 'reset')
  t.regex(await a.lines.find(/connection complete/), /error="a worker ended with its connections: told to crash"$/)
  await b.lines.find(/connection complete/)
  t.regex(await a.lines.find(/worker crashed/), /\terror\t.*again=true/)
  const again = await a.connectTo({ ip: b.ip, port: 8080 })
  again.end('2')
  t.is(await readAll(again), '2')
  t.regex(await a.stats(), /^ambit_ztunnel_worker_crashes_total 1$/m)
  t.true(a.app.ready)
})

test('without node:ffi, auto says so and goes on with what there is', async (t) => {
  const program = `
    import { createLogger, PrometheusMetrics } from '@ambit/telemetry'
    import { systemClock } from '@ambit/core'
    import { startDataPath } from './src/data-path/start-data-path.ts'
    const logger = createLogger({ write: (line) => process.stdout.write(line), level: 'info' })
    const components = { logger, metrics: new PrometheusMetrics(), clock: systemClock, onLost: () => undefined }
    const path = await startDataPath(components, { dataPath: 'auto', workerThreads: 1 })
    console.log(path.name)
    await startDataPath(components, { dataPath: 'reactor', workerThreads: 1 }).catch((error) => console.log(error.code))`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--no-experimental-ffi', '--input-type=module', '--eval', program],
    { cwd: join(import.meta.dirname, '..') },
  )
  const [line, name, failure] = stdout.trim().split('\n')
  t.regex(line ?? '', /\twarn\tdata-path\t.*slower.*node:ffi/)
  t.is(name, 'node')
  t.is(failure, 'ERR_REACTOR_UNAVAILABLE')
})

/** What a refused application sees: all data, or that the connection was reset, at whatever moment. */
async function answerOf(connecting: Promise<Socket>): Promise<string> {
  try {
    const chunks: Buffer[] = []
    for await (const chunk of (await connecting) as AsyncIterable<Buffer>) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  } catch (error) {
    if (codeOf(error) === 'ECONNRESET') return 'reset'
    throw error
  }
}

/** Until the proxy has taken the last change of policies. */
async function changed({ app }: { app: { policies: { subscribe(listener: () => void): Disposable } } }): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _ = app.policies.subscribe(resolve)
  await promise
}
