import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zdspb } from '@ambit/api'
import { silentLogger, systemClock } from '@ambit/core'
import { Netns, SeqpacketConnection } from '@ambit/linux'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { Enroller } from '../src/enroller.ts'
import { ZDS_MAX_CONNECTIONS } from '../src/limits.ts'
import { PodNetnsCache } from '../src/pod-netns-cache.ts'
import { ZtunnelGoneError, ZtunnelRefusedError } from '../src/zds-connection.ts'
import { decodeAck, isSupportedHello } from '../src/zds-messages.ts'
import { ZdsServer } from '../src/zds-server.ts'
import { ScriptedZtunnel } from './scripted-ztunnel.ts'

const podOf = (uid: string) => ({ uid, name: `name-${uid}`, namespace: 'apps', serviceAccount: 'sa' })

interface Fixture {
  readonly cache: PodNetnsCache
  readonly server: ZdsServer
  readonly path: string
  readonly ready: () => void
  readonly gauge: () => number
}

async function withServer(t: ExecutionContext, use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'zds-'))
  const path = join(folder, 'ztunnel.sock')
  using cache = new PodNetnsCache()
  const snapshot = Promise.withResolvers<void>()
  let connected = 0
  const gauge = { set: (_labels: object, value: number) => void (connected = value), add: () => undefined }
  await using server = await ZdsServer.listen(
    { cache, clock: systemClock, logger: silentLogger, connected: gauge },
    { path, snapshotReady: snapshot.promise },
  )
  try {
    await use({ cache, server, path, ready: snapshot.resolve, gauge: () => connected })
  } finally {
    rmSync(folder, { recursive: true })
  }
  t.pass()
}

test.serial(
  'a new ztunnel hears the snapshot: pods with their namespace, lost ones as keep, then the end',
  async (t) => {
    await withServer(t, async ({ cache, path, ready, gauge }) => {
      cache.put(podOf('a'), Netns.home())
      cache.put(podOf('b'), undefined)
      ready()
      using ztunnel = await ScriptedZtunnel.connect(path)
      await ztunnel.saw('snapshotSent')
      const netns = statSync('/proc/self/ns/net').ino
      t.deepEqual(ztunnel.seen, [
        { kind: 'add', uid: 'a', name: 'name-a', netns },
        { kind: 'keep', uid: 'b' },
        { kind: 'snapshotSent', uid: '' },
      ])
      t.is(gauge(), 1)
    })
  },
)

test.serial('a pod that is being let go is in no snapshot, though its namespace is still held', async (t) => {
  await withServer(t, async ({ cache, path, ready }) => {
    for (const uid of ['a', 'b', 'c']) cache.put(podOf(uid), Netns.home())
    cache.leave('b')
    t.not(cache.get('b')?.netns, undefined)
    cache.leave('c')
    cache.put(podOf('c'), Netns.home())
    ready()
    using ztunnel = await ScriptedZtunnel.connect(path)
    await ztunnel.saw('snapshotSent')
    t.deepEqual(
      ztunnel.seen.map(({ uid }) => uid),
      ['a', 'c', ''],
    )
  })
})

test.serial('a ztunnel that connects while a pod leaves the mesh does not take it on', async (t) => {
  await withServer(t, async ({ cache, path, ready, server }) => {
    ready()
    const facts = { labels: new Map(), annotations: new Map(), hostNetwork: false, phase: 'Running', ips: [] }
    const pod = { ...podOf('a'), ...facts }
    cache.put(pod, undefined)
    const reached = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const done = { add: () => Promise.resolve(), note: () => undefined }
    const probes = {
      ...done,
      remove: () => {
        reached.resolve()
        return gate.promise
      },
    }
    const api = {
      readPod: () => Promise.resolve(undefined),
      readNamespace: () => Promise.resolve(undefined),
      writeRedirection: () => Promise.resolve(),
    }
    const defaults = {
      dnsCapture: true,
      ipv6: false,
      probeIpv4: '169.254.7.127',
      probeIpv6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
    }
    const removed = new Enroller({ api, cache, zds: server, probes, logger: silentLogger }, defaults).remove(
      pod,
      undefined,
    )
    await reached.promise
    using ztunnel = await ScriptedZtunnel.connect(path)
    await ztunnel.saw('snapshotSent')
    t.deepEqual(
      ztunnel.seen.map(({ kind }) => kind),
      ['snapshotSent'],
    )
    gate.resolve()
    await removed
  })
})

test.serial('nothing is said before the snapshot is complete', async (t) => {
  await withServer(t, async ({ cache, path, ready, server }) => {
    using ztunnel = await ScriptedZtunnel.connect(path)
    await t.throwsAsync(server.add(podOf('a'), Netns.home()), { instanceOf: ZtunnelGoneError })
    cache.put(podOf('late'), Netns.home())
    t.deepEqual(ztunnel.seen, [])
    ready()
    await ztunnel.saw('snapshotSent')
    t.is(ztunnel.seen[0]?.uid, 'late')
  })
})

test.serial('a later pod is added with its namespace and resolves with the answer', async (t) => {
  await withServer(t, async ({ path, ready, server }) => {
    ready()
    using ztunnel = await ScriptedZtunnel.connect(path)
    await ztunnel.saw('snapshotSent')
    using netns = Netns.home()
    await server.add(podOf('a'), netns)
    t.is(ztunnel.seen.at(-1)?.kind, 'add')
    ztunnel.refusals.set('b', 'failure to start proxy : address in use')
    await t.throwsAsync(server.add(podOf('b'), netns), { instanceOf: ZtunnelRefusedError, message: /address in use/ })
    t.is(server.connections, 1, 'a refusal leaves the connection up')
  })
})

test.serial(
  'with two ztunnels adds go to the newest and removals to both; when it goes, the older is current again',
  async (t) => {
    await withServer(t, async ({ path, ready, server, gauge }) => {
      ready()
      using old = await ScriptedZtunnel.connect(path)
      await old.saw('snapshotSent')
      const young = await ScriptedZtunnel.connect(path)
      await young.saw('snapshotSent')
      using netns = Netns.home()
      await server.add(podOf('a'), netns)
      t.deepEqual(
        old.seen.map(({ kind }) => kind),
        ['snapshotSent'],
      )
      await server.remove('a')
      t.is(old.seen.at(-1)?.kind, 'del')
      t.is(young.seen.at(-1)?.kind, 'del')
      young[Symbol.dispose]()
      await young.ended
      while (gauge() !== 1) await new Promise((resolve) => setImmediate(resolve))
      await server.add(podOf('b'), netns)
      t.deepEqual(old.seen.at(-1)?.uid, 'b')
    })
  },
)

test.serial('a refused pod of the snapshot does not keep the others back', async (t) => {
  await withServer(t, async ({ cache, path, ready }) => {
    cache.put(podOf('a'), Netns.home())
    cache.put(podOf('b'), Netns.home())
    const connecting = ScriptedZtunnel.connect(path)
    using ztunnel = await connecting
    ztunnel.refusals.set('a', 'no')
    ready()
    await ztunnel.saw('snapshotSent')
    t.deepEqual(
      ztunnel.seen.map(({ uid }) => uid),
      ['a', 'b', ''],
    )
  })
})

test.serial('a ztunnel that sends what nobody asked for is disconnected', async (t) => {
  await withServer(t, async ({ path, ready }) => {
    ready()
    using ztunnel = await ScriptedZtunnel.connect(path)
    await ztunnel.saw('snapshotSent')
    await new Promise((resolve) => setImmediate(resolve))
    await ztunnel.sendRaw(Uint8Array.of(1, 2, 3))
    await ztunnel.ended
  })
})

test.serial('a greeting of another version, or none, is refused', async (t) => {
  await withServer(t, async ({ path, ready, server }) => {
    ready()
    using unknown = await ScriptedZtunnel.connect(path, zdspb.Version.NOT_USED)
    await unknown.ended
    const raw = await SeqpacketConnection.connect(path)
    await raw.send(Uint8Array.of(0xff, 0xff, 0xff))
    t.is(await raw.receive(), undefined)
    raw.close()
    const long = await SeqpacketConnection.connect(path)
    await long.send(new Uint8Array(2000))
    t.is(await long.receive(), undefined)
    long.close()
    t.is(server.connections, 0)
  })
})

test.serial('a pod whose namespace handle closes while its add waits is not announced with another file', async (t) => {
  await withServer(t, async ({ path, ready, server }) => {
    ready()
    using ztunnel = await ScriptedZtunnel.connect(path)
    await ztunnel.saw('snapshotSent')
    const netns = Netns.home()
    const ino = statSync('/proc/self/ns/net').ino
    const first = server.add(podOf('a'), netns)
    const second = server.add(podOf('b'), netns)
    netns[Symbol.dispose]()
    await Promise.all([first, second])
    t.is(ztunnel.seen.at(-1)?.netns, ino)
  })
})

test('no bytes make the readers of a peer throw', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1024 }), (bytes) => {
      isSupportedHello(bytes)
      decodeAck(bytes)
    }),
  )
  t.pass()
})

test.serial(
  'a pod that goes while a ztunnel is silent over its snapshot is let go once the deadline has passed',
  async (t) => {
    await withServer(t, async ({ cache, path, ready, server, gauge }) => {
      cache.put(podOf('a'), Netns.home())
      using ztunnel = await ScriptedZtunnel.connect(path)
      ztunnel.answering = false
      ready()
      await ztunnel.saw('add')
      cache.delete('a')
      // Queued behind the unanswered add; the silent ztunnel is dropped, which settles both.
      await server.remove('a')
      t.is(gauge(), 0)
    })
  },
)

test.serial('connections above the limit are closed, those known go on', async (t) => {
  await withServer(t, async ({ path }) => {
    const open: SeqpacketConnection[] = []
    for (let i = 0; i < ZDS_MAX_CONNECTIONS; i++) open.push(await SeqpacketConnection.connect(path))
    const refused = await SeqpacketConnection.connect(path)
    t.is(await refused.receive(), undefined, 'closed by the agent')
    for (const connection of [...open, refused]) connection.close()
  })
})
