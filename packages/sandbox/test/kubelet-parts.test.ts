// Small decisions of the kubelet, each by itself.

import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, stat, symlink } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { mountTable } from '../src/host/mount-table.ts'
import { CrashBackoff, goDuration } from '../src/kubelet/crash-backoff.ts'
import { grpcProbe, healthRequest, servingStatus } from '../src/kubelet/grpc-probe.ts'
import { prepareHostPath } from '../src/kubelet/host-path.ts'
import { identityInside, pathInside } from '../src/kubelet/path-inside.ts'

test('the first restart is at once, later ones wait twice as long, up to five minutes', (t) => {
  const backoff = new CrashBackoff()
  const waits = Array.from({ length: 8 }, () => backoff.next(1000) / 1000)
  t.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300])
})

test('a run of more than ten minutes forgives', (t) => {
  const backoff = new CrashBackoff()
  for (let i = 0; i < 5; i++) backoff.next(0)
  t.is(backoff.next(600_001), 0)
  t.is(backoff.next(0), 10_000)
})

test('durations look as Go prints them', (t) => {
  t.deepEqual([1000, 40_000, 80_000, 300_000].map(goDuration), ['1s', '40s', '1m20s', '5m0s'])
})

test('a mount table escapes what would be a field or line of its own', (t) => {
  const table = mountTable([{ source: '/a b', target: '/c\nd\\', readOnly: true }], '/r')
  t.is(table, '/a\\040b /r/c\\012d\\134 none rbind,ro 0 0\n')
  const typed = mountTable([{ source: 'proc', target: '/proc', type: 'proc' }], '/r')
  t.is(typed, 'proc /r/proc proc defaults 0 0\n')
})

test('no link and no dots lead out of a folder', async (t) => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'ambit-inside-')))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'in/deep'), { recursive: true })
  await symlink('/', join(folder, 'out'))
  await symlink('in', join(folder, 'near'))
  t.is(await pathInside(folder, 'near/deep'), join(folder, 'in/deep'))
  t.is(await pathInside(folder, '/near/new/file'), join(folder, 'in/new/file'))
  t.is(await pathInside(folder, 'out/etc'), undefined)
  t.is(await pathInside(folder, 'in/../../etc'), undefined)
  t.is(await pathInside('/', 'usr'), '/usr')
  const { dev, ino } = await stat(join(folder, 'in/deep'))
  t.is(await identityInside(folder, join(folder, 'near/deep')), `${dev}:${ino}`)
  t.is(await identityInside(folder, join(folder, 'out/etc')), undefined)
  await t.throwsAsync(prepareHostPath(folder, { path: '/out/etc' }), { message: /leads out of the node/ })
  await t.throwsAsync(prepareHostPath(folder, { path: '/in', type: 'File' }), { message: /is not a file/ })
  t.is(await prepareHostPath(folder, { path: '/made/here', type: 'FileOrCreate' }), join(folder, 'made/here'))
})

test('a health request names its service, an answer its status', (t) => {
  t.deepEqual([...healthRequest('')], [0, 0, 0, 0, 0])
  t.deepEqual([...healthRequest('ab')], [0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62])
  t.is(servingStatus(Buffer.from([0, 0, 0, 0, 2, 8, 1])), 1)
  t.is(servingStatus(Buffer.alloc(5)), 0)
})

test('a gRPC probe of something else fails, and of a silent peer when the time is over', async (t) => {
  const server = createServer((socket) =>
    socket.on('error', () => socket.destroy()).once('data', () => socket.end('no')),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const probe = async (signal: AbortSignal): Promise<{ readonly ok: boolean }> => {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    return await grpcProbe(socket, '', signal)
  }
  t.false((await probe(new AbortController().signal)).ok)
  await t.throwsAsync(probe(AbortSignal.abort()))
})
