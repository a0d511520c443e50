import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ip, silentLogger } from '@ambit/core'
import test from 'ava'
import { AdminServer } from '../src/index.ts'
import { ADMIN_MAX_CONNECTIONS, ADMIN_MAX_HEADER_BYTES, MAX_FILTER_LENGTH } from '../src/limits.ts'
import { parseLogFilter } from '../src/log-filter.ts'

async function start() {
  const server = new AdminServer({
    logger: silentLogger,
    routes: [{ method: 'GET', path: '/a', handle: () => ({ body: 'x' }) }],
  })
  const { port } = await server.listen({ ip: ip('127.0.0.1'), port: 0 })
  return { port, [Symbol.asyncDispose]: () => server.close() }
}

test('a header block above the limit is 431, and the server goes on', async (t) => {
  await using admin = await start()
  const ask = (size: number) =>
    fetch(`http://127.0.0.1:${admin.port}/a`, { headers: { 'x-long': 'y'.repeat(size) } }).then(({ status }) => status)
  t.is(await ask(ADMIN_MAX_HEADER_BYTES), 431)
  t.is(await ask(1000), 200)
})

test('connections above the limit are closed, and room is made when others go', async (t) => {
  await using admin = await start()
  const open: Socket[] = []
  for (let i = 0; i < ADMIN_MAX_CONNECTIONS; i++) open.push(connect(admin.port, '127.0.0.1'))
  await Promise.all(open.map((socket) => once(socket, 'connect')))
  const refused = connect(admin.port, '127.0.0.1')
  refused.on('error', () => undefined)
  await once(refused, 'close')
  const [first] = open
  first?.write('GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  first?.resume()
  await once(first ?? refused, 'close')
  t.is(await fetch(`http://127.0.0.1:${admin.port}/a`).then(({ status }) => status), 200)
  for (const socket of open) socket.destroy()
})

test('a log filter above the limit is refused', (t) => {
  const clause = 'scope=debug,'
  const many = clause.repeat(Math.ceil(MAX_FILTER_LENGTH / clause.length) + 1)
  t.like(parseLogFilter(`${many}info`), { ok: false })
  t.like(parseLogFilter(`${clause}info`), { ok: true })
})
