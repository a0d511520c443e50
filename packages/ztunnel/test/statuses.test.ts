import { once } from 'node:events'
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2'
import { connect as tlsConnect } from 'node:tls'
import { testOnDataPaths } from './support/data-paths.ts'
import { Mesh, type Pod } from './support/mesh.ts'

async function session(mesh: Mesh, pod: Pod): Promise<ClientHttp2Session> {
  const { chainPem, privateKey, rootsPem } = mesh.certificates.workload(mesh.certificates.identity('default', 'a'))
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const tls = tlsConnect({
    host: pod.ip,
    port: 15008,
    ALPNProtocols: ['h2'],
    cert: chainPem,
    key,
    ca: rootsPem,
    checkServerIdentity: () => undefined,
  })
  await once(tls, 'secureConnect')
  const client = connect('https://hbone.invalid', { createConnection: () => tls })
  mesh.defer(() => client.destroy())
  return client
}

async function statusOf(
  client: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
): Promise<{ status: number; baggage: unknown }> {
  const stream = client.request(headers)
  stream.on('error', () => undefined)
  const [answer] = (await once(stream, 'response')) as [Record<string, unknown>]
  stream.close()
  return { status: Number(answer[':status']), baggage: answer['baggage'] }
}

testOnDataPaths('the statuses of HBONE', async (t, { server }) => {
  const mesh = await Mesh.start()
  await using _ = mesh
  mesh.workload('b', 3)
  const b = await mesh.pod('b', 3, { dataPath: server })
  await mesh.echo(3, 8080)
  const client = await session(mesh, b)
  const ask = async (authority: string, method = 'CONNECT') =>
    (
      await statusOf(
        client,
        method === 'CONNECT'
          ? { ':method': method, ':authority': authority }
          : { ':method': method, ':path': '/', ':scheme': 'https', ':authority': authority },
      )
    ).status
  const ok = await statusOf(client, { ':method': 'CONNECT', ':authority': `${b.ip}:8080` })
  t.is(ok.status, 200)
  t.is(
    ok.baggage,
    'k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=b-deployment,service.name=b,service.version=v1',
  )
  t.is(await ask(`${b.ip}:8080`, 'GET'), 400)
  t.is(await ask('nowhere'), 400)
  t.is(await ask(`${mesh.at(99)}:8080`), 400)
  t.is(await ask(`${b.ip}:15006`), 503)
  t.is(await ask('unknown.example.com:80'), 503)
  t.is(await ask(`${b.ip}:1`), 503)
  t.regex(await b.lines.find(/ECONNREFUSED/), /error="connection failed: connect ECONNREFUSED/)
  const { promise, resolve } = Promise.withResolvers<void>()
  using _subscription = b.app.policies.subscribe(() => resolve())
  mesh.policy({ name: 'closed', namespace: 'default', scope: 1, action: 0 })
  await promise
  t.is(await ask(`${b.ip}:8080`), 401)
})
