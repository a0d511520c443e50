import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  closeAll,
  MAX_PACKET_BYTES,
  PacketTruncatedError,
  SeqpacketConnection,
  SeqpacketListener,
} from '../src/index.ts'

interface Pair {
  readonly client: SeqpacketConnection
  readonly server: SeqpacketConnection
}

async function withPair(t: ExecutionContext, use: (pair: Pair) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const path = join(folder, 's.sock')
  const listener = await SeqpacketListener.listen(path)
  const accepted = Promise.withResolvers<SeqpacketConnection>()
  listener.onConnection(accepted.resolve)
  const client = await SeqpacketConnection.connect(path)
  try {
    await use({ client, server: await accepted.promise })
  } finally {
    client.close()
    await listener.close()
    t.deepEqual(readdirSync(folder), [], 'the socket file is gone with the listener')
    rmSync(folder, { recursive: true })
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (packet: { bytes: Uint8Array } | undefined): string | undefined =>
  packet && new TextDecoder().decode(packet.bytes)

test.serial('one send is one receive, in order, both ways', async (t) => {
  await withPair(t, async ({ client, server }) => {
    await Promise.all(['one', 'two', 'three'].map((word) => client.send(bytes(word))))
    for (const word of ['one', 'two', 'three']) t.is(textOf(await server.receive()), word)
    const waiting = client.receive()
    await server.send(bytes('answer'))
    t.is(textOf(await waiting), 'answer')
  })
})

test.serial('a descriptor rides along and is the same file on the other side', async (t) => {
  await withPair(t, async ({ client, server }) => {
    const fd = openSync('/proc/self/ns/net', 'r')
    await client.send(bytes('netns'), fd)
    const packet = await server.receive()
    t.is(packet?.fds.length, 1)
    const received = packet?.fds[0] ?? -1
    t.not(received, fd)
    t.is(fstatSync(received).ino, fstatSync(fd).ino)
    closeAll([received, fd])
  })
})

test.serial('more packets than the buffer holds arrive all, because the sender waits', async (t) => {
  await withPair(t, async ({ client, server }) => {
    const count = 2000
    const sending = Promise.all(
      Array.from({ length: count }, (_, i) => client.send(bytes(String(i).padStart(900, '0')))),
    )
    for (let i = 0; i < count; i++) t.is(Number(textOf(await server.receive())), i)
    await sending
  })
})

test.serial('a packet of exactly the limit passes, a longer one is an error', async (t) => {
  await withPair(t, async ({ client, server }) => {
    await client.send(new Uint8Array(MAX_PACKET_BYTES))
    t.is((await server.receive())?.bytes.length, MAX_PACKET_BYTES)
    await client.send(new Uint8Array(MAX_PACKET_BYTES + 1))
    await t.throwsAsync(server.receive(), { instanceOf: PacketTruncatedError })
  })
})

test.serial('descriptors of a packet that is too long are closed, not leaked', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const file = join(folder, 'unique')
  writeFileSync(file, '')
  const { ino } = statSync(file)
  const open = (): number => readdirSync('/proc/self/fd').filter((fd) => inodeOf(Number(fd)) === ino).length
  await withPair(t, async ({ client, server }) => {
    const fd = openSync(file, 'r')
    await client.send(new Uint8Array(MAX_PACKET_BYTES + 1), fd)
    await t.throwsAsync(server.receive(), { instanceOf: PacketTruncatedError })
    t.is(open(), 1)
    closeSync(fd)
  })
  rmSync(folder, { recursive: true })
})

test.serial('closing unblocks the own receive, and the peer reads the end', async (t) => {
  await withPair(t, async ({ client, server }) => {
    const own = client.receive()
    const peers = server.receive()
    client.close()
    t.is(await own, undefined)
    t.is(await peers, undefined)
    await t.throwsAsync(client.send(bytes('late')), { code: 'EPIPE' })
    await t.throwsAsync(server.send(bytes('late')), { code: 'EPIPE' })
  })
})

test.serial('aborting a receive leaves the connection usable', async (t) => {
  await withPair(t, async ({ client, server }) => {
    const abort = new AbortController()
    const reason = new Error('deadline')
    const waiting = client.receive(abort.signal)
    abort.abort(reason)
    await t.throwsAsync(waiting, { is: reason })
    await server.send(bytes('still here'))
    t.is(textOf(await client.receive()), 'still here')
  })
})

test.serial('a second listener takes over a path a dead process left', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const path = join(folder, 's.sock')
  writeFileSync(path, '')
  const listener = await SeqpacketListener.listen(path, { mode: 0o660 })
  t.is(statSync(path).mode & 0o777, 0o660)
  await listener.close()
  rmSync(folder, { recursive: true })
})

test.serial('connecting where nobody listens fails with the system code', async (t) => {
  await t.throwsAsync(SeqpacketConnection.connect('/nonexistent/x.sock'), { code: 'ENOENT' })
  await t.throwsAsync(SeqpacketConnection.connect('x'.repeat(200)), { instanceOf: RangeError })
})

test.serial('a process that exits with a connection open does not hang', async (t) => {
  const script = `
    import { SeqpacketListener } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
    const listener = await SeqpacketListener.listen(process.argv[2])
    listener.onConnection(() => {})
    process.exit(7)`
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const program = join(folder, 'program.mts')
  writeFileSync(program, script)
  const child = spawn(process.execPath, [program, join(folder, 's.sock')], { stdio: 'ignore' })
  const [code] = (await once(child, 'exit')) as [number]
  t.is(code, 7)
  rmSync(folder, { recursive: true })
})

test.serial('without node:ffi the same works through koffi', async (t) => {
  const index = JSON.stringify(new URL('../src/index.ts', import.meta.url).href)
  const load = JSON.stringify(new URL('../src/libc/load.ts', import.meta.url).href)
  const script = `
    import { openSync, fstatSync } from 'node:fs'
    import { SeqpacketListener, SeqpacketConnection, openPty, raiseFileLimit, hostSockets } from ${index}
    import { libc } from ${load}
    const path = process.argv[2]
    const listener = await SeqpacketListener.listen(path)
    const accepted = Promise.withResolvers()
    listener.onConnection(accepted.resolve)
    const client = await SeqpacketConnection.connect(path)
    const server = await accepted.promise
    const waiting = server.receive()
    await client.send(new TextEncoder().encode('hi'), openSync('/proc/self/ns/net', 'r'))
    const packet = await waiting
    const same = fstatSync(packet.fds[0]).ino === fstatSync(openSync('/proc/self/ns/net', 'r')).ino
    client.close(); await listener.close()
    let code; try { await SeqpacketConnection.connect('/nonexistent') } catch (error) { code = error.code }
    openPty().resize(80, 25)
    console.log(libc().backend, new TextDecoder().decode(packet.bytes), same, code, raiseFileLimit() > 0)
    process.exit(0)`
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const program = join(folder, 'program.mts')
  writeFileSync(program, script)
  const child = spawn(process.execPath, ['--no-experimental-ffi', program, join(folder, 's.sock')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  await once(child, 'close')
  t.is(output.trim(), 'koffi hi true ENOENT true')
  rmSync(folder, { recursive: true })
})

function inodeOf(fd: number): number | undefined {
  try {
    return fstatSync(fd).ino
  } catch {
    return undefined
  }
}

test('however many connections a process makes, it listens to its own exit once', async (t) => {
  const before = process.listenerCount('exit')
  const folder = mkdtempSync(join(tmpdir(), 'seqpacket-'))
  const path = join(folder, 's.sock')
  const listener = await SeqpacketListener.listen(path)
  listener.onConnection(() => undefined)
  const clients = await Promise.all(Array.from({ length: 12 }, () => SeqpacketConnection.connect(path)))
  t.true(process.listenerCount('exit') <= before + 1)
  for (const client of clients) client.close()
  await listener.close()
  rmSync(folder, { recursive: true })
})
