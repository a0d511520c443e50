import { ip } from '@ambit/core'
import type { Flow } from '@ambit/flow'
import { type AuthorizationInit, addressBytes, FlowStream, flowsAt } from '@ambit/testing'
import test from 'ava'
import { type DataPaths, testOnDataPaths } from './support/data-paths.ts'
import { Mesh, type Pod, readAll, readSome } from './support/mesh.ts'

async function twoPods({ client, server }: DataPaths) {
  const mesh = await Mesh.start()
  mesh.workload('a', 2)
  mesh.workload('b', 3)
  const [a, b] = await Promise.all([mesh.pod('a', 2, { dataPath: client }), mesh.pod('b', 3, { dataPath: server })])
  return { mesh, a, b }
}

function flowsOf(pod: Pod, query = ''): Promise<readonly Flow[]> {
  return flowsAt(pod.app.bound.admin.port, query)
}

const DENY_8080: AuthorizationInit = {
  name: 'deny-8080',
  namespace: 'default',
  scope: 1,
  action: 1,
  rules: [{ clauses: [{ matches: [{ destinationPorts: [8080] }] }] }],
}

testOnDataPaths(
  'an open connection is told by both its proxies, with identities, bytes, TLS and the id of the access log',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    await mesh.echo(3, 8080)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    client.write('hello')
    t.is(await readSome(client), 'hello')

    const [source] = await flowsOf(a)
    const [destination] = await flowsOf(b)
    t.like(source, {
      state: 'open',
      side: 'source',
      protocol: 'tcp',
      reporter: { kind: 'ztunnel', node: 'node-a' },
      client: {
        identity: 'spiffe://cluster.local/ns/default/sa/a',
        namespace: 'default',
        workload: 'a-deployment',
        pod: 'a',
      },
      server: {
        address: `${b.ip}:8080`,
        identity: 'spiffe://cluster.local/ns/default/sa/b',
        workload: 'b-deployment',
        pod: 'b',
      },
      transport: { kind: 'hbone', version: 'TLSv1.3', keyExchange: 'X25519MLKEM768' },
      bytesFromClient: 5,
      bytesToClient: 5,
      service: undefined,
      waypoint: undefined,
    })
    t.like(destination, {
      state: 'open',
      side: 'destination',
      client: { identity: 'spiffe://cluster.local/ns/default/sa/a', pod: 'a' },
      server: { address: `${b.ip}:8080`, identity: 'spiffe://cluster.local/ns/default/sa/b', pod: 'b' },
      transport: { kind: 'hbone', version: 'TLSv1.3', keyExchange: 'X25519MLKEM768' },
      bytesFromClient: 5,
      verdict: { allowed: true, reason: 'no-allow-policies' },
    })
    client.end()
    await readAll(client)
    t.regex(await a.lines.find(/connection complete/), new RegExp(` connection_id="${source?.id}"$`))
    t.regex(await b.lines.find(/connection complete/), new RegExp(` connection_id="${destination?.id}"$`))
    t.deepEqual(await flowsOf(a), [], 'what ended well is not kept')
  },
)

testOnDataPaths('a follower is told of the opening, of bytes under way, and of the end', async (t, paths) => {
  const { mesh, a, b } = await twoPods(paths)
  await using _ = mesh
  await mesh.echo(3, 8080)
  using flows = await FlowStream.open(a.app.bound.admin.port)
  const client = await a.connectTo({ ip: b.ip, port: 8080 })
  const opened = await flows.until(({ state }) => state === 'open')
  client.write('hello')
  const grown = await flows.until(({ id, bytesToClient }) => id === opened.id && bytesToClient === 5)
  t.is(grown.state, 'open')
  t.is(grown.transport.keyExchange, 'X25519MLKEM768')
  client.end()
  t.like(await flows.until(({ id, state }) => id === opened.id && state !== 'open'), {
    state: 'closed',
    bytesFromClient: 5,
    bytesToClient: 5,
    failure: undefined,
  })
})

testOnDataPaths(
  'a denial is kept with its policy, and told on; the client’s proxy knows that it failed',
  async (t, paths) => {
    const { mesh, a, b } = await twoPods(paths)
    await using _ = mesh
    await mesh.echo(3, 8080)
    using flows = await FlowStream.open(b.app.bound.admin.port, '&state=denied')
    mesh.policy(DENY_8080)
    await changed(b)
    const client = await a.connectTo({ ip: b.ip, port: 8080 })
    await readAll(client)
    const told = await flows.until(() => true)
    const [kept] = await flowsOf(b, '?state=denied')
    t.deepEqual(told, kept)
    t.like(kept, {
      state: 'denied',
      client: { identity: 'spiffe://cluster.local/ns/default/sa/a', pod: 'a' },
      verdict: {
        allowed: false,
        reason: 'explicitly denied by: default/deny-8080',
        policy: 'default/deny-8080',
        rule: 0,
      },
      failure: { code: 'policy-denied' },
    })
    t.regex(
      await b.lines.find(/policy rejection/),
      new RegExp(`connection_id="${kept?.id}" policies="default/deny-8080" error=`),
    )
    t.like((await flowsOf(a))[0], {
      state: 'failed',
      failure: { code: 'http-status', message: 'http status: 401 Unauthorized' },
    })
    t.deepEqual(await flowsOf(b, `?since=${encodeURIComponent(new Date(Date.now() + 1000).toISOString())}`), [])
    t.is((await flowsOf(b, `?id=${kept?.id}`)).length, 1)
    t.deepEqual(await flowsOf(b, '?namespace=other'), [])
  },
)

testOnDataPaths('a policy that cuts an open connection makes it a denied one', async (t, paths) => {
  const { mesh, a, b } = await twoPods(paths)
  await using _ = mesh
  await mesh.echo(3, 8080)
  const client = await a.connectTo({ ip: b.ip, port: 8080 })
  client.write('ping')
  await readSome(client)
  mesh.policy(DENY_8080)
  await readAll(client)
  t.like((await flowsOf(b))[0], {
    state: 'denied',
    bytesFromClient: 4,
    verdict: { allowed: false, policy: 'default/deny-8080' },
    failure: { code: 'policy-changed' },
  })
})

testOnDataPaths(
  'plain text is told as such; the service has its own port; who is refused before anything is known is told too',
  async (t, paths) => {
    const mesh = await Mesh.start()
    await using _ = mesh
    mesh.service({
      name: 'web',
      namespace: 'default',
      hostname: 'web.default.svc.cluster.local',
      addresses: [{ network: '', address: addressBytes('10.96.0.1') }],
      ports: [{ servicePort: 80, targetPort: 8080 }],
    })
    mesh.workload('a', 2)
    mesh.workload('b', 3, {
      services: { 'default/web.default.svc.cluster.local': { ports: [{ servicePort: 80, targetPort: 8080 }] } },
    })
    const [a, b] = await Promise.all([
      mesh.pod('a', 2, { dataPath: paths.client }),
      mesh.pod('b', 3, { dataPath: paths.server }),
    ])
    await mesh.echo(3, 8080)
    const vip = ip('10.96.0.1')
    b.sockets.redirected.set(15006, { ip: b.ip, port: 8080 })
    const plain = await mesh.dial(mesh.at(9), { ip: b.ip, port: 15006 })
    plain.write('x')
    await readSome(plain)
    t.like((await flowsOf(b))[0], {
      side: 'destination',
      transport: { kind: 'plain' },
      client: { identity: undefined, workload: undefined },
      service: { hostname: 'web.default.svc.cluster.local', port: 80 },
    })
    plain.destroy()

    const named = await a.connectTo({ ip: vip, port: 80 })
    named.write('x')
    await readSome(named)
    t.like((await flowsOf(a))[0], {
      service: { namespace: 'default', hostname: 'web.default.svc.cluster.local', port: 80 },
    })
    named.destroy()

    await readAll(await a.connectTo({ ip: vip, port: 81 }))
    t.like((await flowsOf(a, '?state=failed'))[0], {
      state: 'failed',
      service: { hostname: 'web.default.svc.cluster.local', port: 81 },
      failure: { code: 'no-healthy-upstream' },
    })
    b.sockets.redirected.set(15006, { ip: b.ip, port: 15008 })
    await mesh
      .dial(mesh.at(9), { ip: b.ip, port: 15006 })
      .then(readAll, () => 'reset before it knew that it had connected')
    await b.lines.find(/recursive/)
    t.like((await flowsOf(b, '?state=failed'))[0], {
      failure: { code: 'self-call' },
      server: { address: `${b.ip}:15008` },
    })
  },
)

test('a question that is not understood is 400 and says what is', async (t) => {
  const { mesh, a } = await twoPods({ client: 'node', server: 'node' })
  await using _ = mesh
  t.is(await a.get('/flows?since=soon'), 'since is a time as 2026-11-21T18:00:00Z, or a duration as 90s or 10m\n')
  t.regex(await a.get('/flows?what=1'), /^unknown parameter "what"; there are: watch, state, since, namespace, id\n$/)
})

/** Until a change of policies has arrived. */
async function changed({ app }: Pod): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _ = app.policies.subscribe(() => resolve())
  await promise
}
