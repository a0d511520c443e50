import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { silentLogger } from '@ambit/core'
import test from 'ava'
import { admission, type DoorOptions, TcpDoor, UdpDoor } from '../src/balancer/door.ts'
import { backendsOf, balancerDoors, nodePortDoors } from '../src/balancer/doors-of.ts'
import { loopbackAddresses, portsToTry } from '../src/balancer/loopback-addresses.ts'
import { LIMITS } from '../src/limits.ts'
import { nodeAddresses } from '../src/net/addresses.ts'
import type { Service } from '../src/objects/cluster.types.ts'
import type { ServingPort } from '../src/proxy/frontends.ts'

const HERE = '127.0.0.1'

async function listening(server: Server): Promise<number> {
  server.listen(0, HERE)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const options = (ports: readonly number[], admits: (ip: string) => boolean = () => true): DoorOptions => ({
  backends: () => ports.map((port) => ({ ip: HERE, port })),
  admits,
  logger: silentLogger,
})

/** Says what it was told, once the other side has ended. */
function echo(): Server {
  return createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => undefined).pipe(socket))
}

test('bytes go both ways, and an end is an end for the other side only', async (t) => {
  const backend = echo()
  const dead = createServer()
  const deadPort = await listening(dead)
  dead.close()
  const server = createServer()
  await listening(server)
  await using door = new TcpDoor(server, options([deadPort, await listening(backend)]))
  const client = connect({ host: HERE, port: door.port, allowHalfOpen: true })
  client.end('hello')
  t.is(await text(client), 'hello')
  backend.close()
})

test('without a backend, or not admitted, a connection is reset', async (t) => {
  const backend = echo()
  const port = await listening(backend)
  for (const settings of [options([]), options([port], () => false)]) {
    const server = createServer()
    await listening(server)
    await using door = new TcpDoor(server, settings)
    const client = connect({ host: HERE, port: door.port })
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
    t.is(error.code, 'ECONNRESET')
  }
  backend.close()
})

test('closing a door ends what it carries', async (t) => {
  const backend = echo()
  const server = createServer()
  await listening(server)
  const door = new TcpDoor(server, options([await listening(backend)]))
  const client = connect({ host: HERE, port: door.port })
  client.on('error', () => undefined)
  client.write('x')
  await once(client, 'data')
  const closed = once(client, 'close')
  await door[Symbol.asyncDispose]()
  await closed
  t.pass()
  backend.close()
})

async function bound(): Promise<UdpSocket> {
  const socket = createSocket('udp4')
  socket.bind(0, HERE)
  await once(socket, 'listening')
  return socket
}

test('datagrams are answered to whoever sent them', async (t) => {
  const backend = await bound()
  backend.on('message', (message, from) => backend.send(`${message.toString()} back`, from.port, from.address))
  await using door = new UdpDoor(await bound(), options([backend.address().port]))
  const clients = await Promise.all([bound(), bound()])
  for (const [index, client] of clients.entries()) {
    client.send(`hello ${index}`, door.port, HERE)
    const [answer] = (await once(client, 'message')) as [Buffer]
    t.is(String(answer), `hello ${index} back`)
    client.close()
  }
  backend.close()
})

test('of more UDP clients than there is room for, the longest silent is forgotten', async (t) => {
  const backend = await bound()
  const door = new UdpDoor(await bound(), options([backend.address().port]))
  const clients = await Promise.all(Array.from({ length: LIMITS.machinePortUdpClients + 1 }, bound))
  const sourceOf = async (client: UdpSocket | undefined): Promise<number> => {
    const heard = once(backend, 'message') as Promise<[Buffer, { port: number }]>
    client?.send('x', door.port, HERE)
    return (await heard)[1].port
  }
  const sources = new Map<UdpSocket, number>()
  for (const client of clients) sources.set(client, await sourceOf(client))
  const [first, last] = [clients[0]!, clients.at(-1)!]
  t.is(await sourceOf(last), sources.get(last) ?? 0)
  t.not(await sourceOf(first), sources.get(first), 'it has another socket now')
  await door[Symbol.asyncDispose]()
  for (const client of clients) client.close()
  backend.close()
})

test('source ranges admit who is in one of them', (t) => {
  t.true(admission(undefined)('127.0.0.1'))
  t.true(admission(['10.0.0.0/8', '127.0.0.0/8'])('127.0.0.1'))
  t.false(admission(['10.0.0.0/8'])('127.0.0.1'))
})

test('a load balancer has an address of its own, and a low port another number where only root may have it', (t) => {
  const taken = new Set(['127.0.0.3'])
  t.deepEqual(loopbackAddresses(0, taken).slice(0, 2), ['127.0.0.2', '127.0.0.4'])
  t.is(loopbackAddresses(252, taken)[0], '127.0.0.254')
  t.deepEqual(loopbackAddresses(0, taken, '127.0.0.9'), ['127.0.0.9'])
  t.deepEqual(portsToTry(80), [80, 8080, 0])
})

test('which doors a service has, and where they lead', (t) => {
  const spec = {
    type: 'LoadBalancer',
    ports: [
      { port: 80, nodePort: 30_080 },
      { port: 53, protocol: 'UDP' },
    ],
  }
  const service: Service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec }
  t.deepEqual(nodePortDoors(service), [{ protocol: 'tcp', port: 30_080 }])
  t.deepEqual(balancerDoors(service), [
    { protocol: 'tcp', port: 80 },
    { protocol: 'udp', port: 53 },
  ])
  t.deepEqual(balancerDoors({ ...service, spec: { ...spec, loadBalancerClass: 'example.com/x' } }), [])
  const nodes = [nodeAddresses(1), nodeAddresses(2)]
  const serving = {
    six: false,
    nodePort: 30_080,
    externalLocal: false,
    targets: [{ ip: '10.244.2.2', port: 8080, node: 'ambit-2' }],
  } as unknown as ServingPort
  const ips = (one: ServingPort) => backendsOf(one, nodes).map(({ ip, port }) => `${ip}:${port}`)
  t.deepEqual(ips(serving), ['172.18.0.2:30080', '172.18.0.3:30080'])
  t.deepEqual(ips({ ...serving, externalLocal: true }), ['172.18.0.3:30080'])
  t.deepEqual(ips({ ...serving, nodePort: undefined }), ['10.244.2.2:8080'])
  t.deepEqual(ips({ ...serving, targets: [] }), [])
})
