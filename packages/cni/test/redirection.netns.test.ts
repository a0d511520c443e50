import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ip, silentLogger } from '@ambit/core'
import { type Netns, netnsSockets, readNft, runNft, warmThreadPool } from '@ambit/linux'
import test from 'ava'
import { NetnsFinder } from '../src/netns-finder.ts'
import { decodePod } from '../src/pod-facts.ts'
import { ProbeRules } from '../src/probes.ts'
import type { RedirectOptions } from '../src/redirect.ts'
import { applyRedirection, hasIpv6, removeRedirection, stopRedirecting } from '../src/redirection.ts'
import { knock, listenFor, networkState, TestNode } from './pod-netns.ts'

const MARK = 0x539
const OPTIONS: RedirectOptions = {
  dnsCapture: true,
  ipv6: true,
  bypassInbound: false,
  rerouteInterfaces: ['br0'],
  probeIpv4: '169.254.7.127',
  probeIpv6: 'fd16:9254:7127:1337:ffff:ffff:ffff:ffff',
}

test.before(() => warmThreadPool())

test.serial('applying and removing leaves the namespace as it was', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  const before = await networkState(pod)
  await applyRedirection(pod, OPTIONS)
  t.not(await networkState(pod), before)
  await removeRedirection(pod)
  t.is(await networkState(pod), before)
})

test.serial('what ztunnel ends while a pod leaves, the pod hears of; new connections go their own way', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  await applyRedirection(pod, OPTIONS)
  const proxied = Promise.withResolvers<Socket>()
  const proxy = await netnsSockets(pod, { mark: MARK }).listen({
    ip: ip('::'),
    port: 15001,
    onConnection: proxied.resolve,
  })
  const client = await netnsSockets(pod, {}).dial({ to: { ip: ip('10.91.1.1'), port: 9090 }, timeoutMs: 3000 })
  const end = once(client, 'data').catch((error: NodeJS.ErrnoException) => error.code)
  const onProxy = await proxied.promise
  await stopRedirecting(pod)
  using onNode = await listenFor(node.host, [9090])
  await knock(pod, '10.91.1.1', 9090)
  t.like(await onNode.next(), { port: 9090, from: '10.91.1.2' })
  onProxy.resetAndDestroy()
  t.is(await end, 'ECONNRESET')
  proxy.close()
  await removeRedirection(pod)
})

test.serial('removing where nothing was applied is fine', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  const before = await networkState(pod)
  await stopRedirecting(pod)
  await removeRedirection(pod)
  t.is(await networkState(pod), before)
})

test.serial('applying again repairs what somebody changed, and changes nothing otherwise', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  await applyRedirection(pod, OPTIONS)
  const good = withoutCounters(await networkState(pod))
  await applyRedirection(pod, OPTIONS)
  t.is(withoutCounters(await networkState(pod)), good)
  await runNft(pod, 'flush chain inet istio-ambient-nat istio-output')
  await applyRedirection(pod, OPTIONS)
  t.is(withoutCounters(await networkState(pod)), good)
})

test.serial('foreign tables survive applying and removing', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  await runNft(pod, 'table inet theirs { chain c { }\n }')
  await applyRedirection(pod, OPTIONS)
  await removeRedirection(pod)
  t.regex(await readNft(pod, ['list', 'ruleset']), /table inet theirs/)
})

for (const [family, own, host] of [
  ['IPv4', '10.91.1.2', '10.91.1.1'],
  ['IPv6', 'fd91:1::2', 'fd91:1::1'],
] as const) {
  test.serial(
    `${family}: outbound goes to 15001, inbound to 15006, HBONE and the proxy's own traffic nowhere else`,
    async (t) => {
      using node = await TestNode.create()
      const pod = await node.addPod(1)
      t.true(hasIpv6(pod))
      await applyRedirection(pod, OPTIONS)
      using inPod = await listenFor(pod, [15001, 15006, 15008, 15053, 8080], MARK)
      using onNode = await listenFor(node.host, [9090, 53])

      await knock(pod, host, 9090)
      t.like(await inPod.next(), { port: 15001, originally: `${host} 9090` })
      await knock(pod, host, 53)
      t.like(await inPod.next(), { port: 15053, originally: `${host} 53` })
      await knock(pod, host, 9090, MARK)
      t.like(await onNode.next(), { port: 9090, from: own })

      await knock(node.host, own, 8080)
      t.deepEqual(await inPod.next(), { port: 15006, from: host, originally: `${own} 8080` })
      await knock(node.host, own, 15008)
      t.like(await inPod.next(), { port: 15008 })

      await knock(pod, own, 8080)
      t.like(await inPod.next(), { port: 8080 }, 'to itself')
      await knock(pod, family === 'IPv4' ? '127.0.0.1' : '::1', 8080)
      t.like(await inPod.next(), { port: 8080 }, 'to its loopback')
    },
  )

  test.serial(
    `${family}: the node's own connections reach the application directly once the pod is in the probe set`,
    async (t) => {
      using node = await TestNode.create()
      const pod = await node.addPod(1)
      await applyRedirection(pod, OPTIONS)
      const probes = new ProbeRules(node.host, OPTIONS)
      await probes.add('uid-1', [ip(own)])
      using inPod = await listenFor(pod, [15006, 8080], MARK)
      await knock(node.host, own, 8080)
      t.deepEqual(await inPod.next(), {
        port: 8080,
        from: family === 'IPv4' ? OPTIONS.probeIpv4 : OPTIONS.probeIpv6,
        originally: `${own} 8080`,
      })
      await probes.remove('another-uid')
      await knock(node.host, own, 8080)
      t.like(await inPod.next(), { port: 8080 })
      await probes.remove('uid-1')
      await knock(node.host, own, 8080)
      t.like(await inPod.next(), { port: 15006 })
    },
  )
}

test.serial('rules of the node that somebody flushed come back', async (t) => {
  using node = await TestNode.create()
  const probes = new ProbeRules(node.host, OPTIONS)
  await probes.add('uid-1', [ip('10.91.1.2')])
  const good = await networkState(node.host)
  await runNft(node.host, 'flush ruleset')
  await probes.rewrite()
  t.is(await networkState(node.host), good)
})

test.serial('another pod is no probe: forwarded connections stay captured', async (t) => {
  using node = await TestNode.create()
  const server = await node.addPod(1)
  const client = await node.addPod(2)
  node.host.run(() => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'))
  await applyRedirection(server, OPTIONS)
  await new ProbeRules(node.host, OPTIONS).add('uid-1', [ip('10.91.1.2')])
  using inPod = await listenFor(server, [15006, 8080], MARK)
  await knock(client, '10.91.1.2', 8080)
  t.like(await inPod.next(), { port: 15006, from: '10.91.2.2' })
})

test.serial('bypassing inbound capture leads straight to the application', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  await applyRedirection(pod, { ...OPTIONS, bypassInbound: true })
  using inPod = await listenFor(pod, [15006, 8080], MARK)
  await knock(node.host, '10.91.1.2', 8080)
  t.like(await inPod.next(), { port: 8080 })
})

test.serial(
  'namespaces of pods are found by an address they own, ambiguous and foreign ones are not taken',
  async (t) => {
    using node = await TestNode.create()
    const one = await node.addPod(1)
    const two = await node.addPod(2)
    using twin = await TestNode.create()
    const impostor = await twin.addPod(2)
    const folder = mkdtempSync(join(tmpdir(), 'finder-'))
    const netnsDir = join(folder, 'netns')
    mkdirSync(netnsDir)
    const put = (name: string, netns: Netns) => symlinkSync(`/proc/${process.pid}/fd/${netns.fd}`, join(netnsDir, name))
    put('cni-1', one)
    put('cni-1-again', one)
    put('cni-2', two)
    put('cni-host', node.host)
    writeFileSync(join(netnsDir, 'note.txt'), '')
    const finder = new NetnsFinder(silentLogger, { procDir: join(folder, 'none'), netnsDir, hostNetns: node.host })
    const facts = (uid: string, podIP: string) =>
      decodePod({ metadata: { uid, name: uid, namespace: 'n' }, status: { podIP } })!
    const find = (): string[] => {
      const found = finder.find([
        facts('one', '10.91.1.2'),
        facts('two', '10.91.2.2'),
        facts('host', '10.91.1.1'),
        facts('none', '10.9.9.9'),
      ])
      const lines = [...found].map(([uid, netns]) => `${uid} ${netns.id}`)
      for (const netns of found.values()) netns[Symbol.dispose]()
      return lines.sort()
    }
    t.deepEqual(find(), [`one ${one.id}`, `two ${two.id}`])
    put('cni-2-impostor', impostor)
    t.deepEqual(find(), [`one ${one.id}`])
    rmSync(folder, { recursive: true })
  },
)

test.serial('the oldest process of the pod names its namespace, if that owns a pod address', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  const inner = await node.addPod(2)
  const uid = '01234567-89ab-cdef-0123-456789abcdef'
  const procDir = mkdtempSync(join(tmpdir(), 'proc-'))
  const process_ = (pid: number, startTime: number, netns: Netns) => {
    mkdirSync(join(procDir, String(pid), 'ns'), { recursive: true })
    writeFileSync(join(procDir, String(pid), 'cgroup'), `0::/kubepods/besteffort/pod${uid}/c\n`)
    writeFileSync(join(procDir, String(pid), 'stat'), `${pid} (a b) S ${'0 '.repeat(18)}${startTime} 0`)
    symlinkSync(`/proc/${process.pid}/fd/${netns.fd}`, join(procDir, String(pid), 'ns', 'net'))
  }
  process_(500, 200, inner)
  process_(600, 100, pod)
  const finder = new NetnsFinder(silentLogger, { procDir, netnsDir: join(procDir, 'none'), hostNetns: node.host })
  const facts = (podIP: string) => decodePod({ metadata: { uid, name: 'p', namespace: 'n' }, status: { podIP } })!
  using found = finder.find([facts('10.91.1.2')]).get(uid)
  t.is(found?.id, pod.id)
  t.is(finder.find([facts('10.91.3.2')]).size, 0)
  rmSync(procDir, { recursive: true })
})

function withoutCounters(text: string): string {
  return text.replace(/packets \d+ bytes \d+/g, '')
}

test.serial('no query of names is lost when rules go, nor when they come for the second time', async (t) => {
  using node = await TestNode.create()
  const pod = await node.addPod(1)
  const [upstream, proxy] = [
    { ip: ip('10.91.1.1'), port: 53 },
    { ip: ip('127.0.0.1'), port: 15053 },
  ]
  const nameServer = await netnsSockets(node.host).bindUdp(upstream)
  const dnsProxy = await netnsSockets(pod, { mark: MARK }).bindUdp(proxy)
  const client = await netnsSockets(pod).bindUdp({ ip: ip('10.91.1.2'), port: 40_000 })
  t.teardown(() => {
    for (const socket of [nameServer, dnsProxy, client]) socket.close()
  })
  const heardBy = (socket: typeof client) =>
    once(socket, 'message', { signal: AbortSignal.timeout(3000) }) as Promise<
      [Buffer, { address: string; port: number }]
    >
  const ask = (text: string): void => client.send(text, upstream.port, upstream.ip)

  await applyRedirection(pod, OPTIONS)
  const redirected = heardBy(dnsProxy)
  ask('first')
  const [, from] = await redirected
  const first = heardBy(client)
  dnsProxy.send('by the proxy', from.port, from.address)
  t.is(String((await first)[0]), 'by the proxy')
  t.like((await first)[1], { address: upstream.ip, port: 53 })

  // The proxy is about to go: whoever asks from the same port again must not be led to it.
  await stopRedirecting(pod)
  const leaving = heardBy(nameServer)
  ask('leaving')
  t.is(String((await leaving)[0]), 'leaving')
  dnsProxy.send('to an earlier question', from.port, from.address)
  t.like((await heardBy(client))[1], { address: upstream.ip, port: 53 }, 'its answers are still translated')
  await removeRedirection(pod)

  const plain = heardBy(nameServer)
  ask('second')
  const [, asker] = await plain
  // The kernel has the hooks of new rules a moment before the rules themselves.
  const hooks = ['prerouting', 'input', 'output', 'postrouting']
  const chains = hooks.map((hook) => `chain ${hook} { type nat hook ${hook} priority 100; ct state new counter; }`)
  await runNft(pod, `table inet hooks { ${chains.join('\n')}\n }`)
  const second = heardBy(client)
  nameServer.send('late', asker.port, asker.address)
  const [late, sender] = await second
  t.is(String(late), 'late')
  t.like(sender, { address: upstream.ip, port: 53 }, 'from another port a resolver would not take it')
})

for (const [family, own, upstream] of [
  ['IPv4', '10.91.1.2', '10.91.1.1'],
  ['IPv6', 'fd91:1::2', 'fd91:1::1'],
] as const) {
  test.serial(`${family}: who asks for names while no proxy listens hears so at once`, async (t) => {
    using node = await TestNode.create()
    const pod = await node.addPod(1)
    await applyRedirection(pod, OPTIONS)
    const client = await netnsSockets(pod).bindUdp({ ip: ip(own), port: 0 })
    t.teardown(() => client.close())
    client.connect(53, upstream)
    await once(client, 'connect')
    const failed = once(client, 'error', { signal: AbortSignal.timeout(3000) }) as Promise<[NodeJS.ErrnoException]>
    client.send('anybody?')
    t.is((await failed)[0].code, 'ECONNREFUSED')
  })
}
