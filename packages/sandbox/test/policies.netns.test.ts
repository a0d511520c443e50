// Policies as the kernel takes them, and what it then does with packets: two pods behind a node.
import { writeFileSync } from 'node:fs'
import type { Server } from 'node:net'
import { ip as ipOf } from '@ambit/core'
import { Netns, netnsSockets, runIp, runNft, warmThreadPool } from '@ambit/linux'
import test from 'ava'
import type { PodIsolation, PolicyChain } from '../src/policy/isolation.ts'
import { policyRuleset } from '../src/policy/policy-ruleset.ts'

const SERVER = ['10.91.1.2', 'fd91:1::2'] as const
const CLIENT = ['10.91.2.2', 'fd91:2::2'] as const
/** Milliseconds after which a connection counts as dropped. */
const SILENCE_MS = 300

test.before(warmThreadPool)

class World implements Disposable {
  readonly #stack = new DisposableStack()
  readonly node: Netns = this.#stack.use(Netns.create())
  readonly server: Netns = this.#stack.use(Netns.create())
  readonly client: Netns = this.#stack.use(Netns.create())

  static async create(): Promise<World> {
    const world = new World()
    const { node, server, client } = world
    await runIp(node, ['link set lo up'])
    for (const netns of [node, server, client]) {
      // Duplicate address detection would hold up the first packet for a second.
      netns.run(() => {
        writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0')
        writeFileSync('/proc/sys/net/ipv6/conf/default/dad_transmits', '0')
      })
    }
    for (const [index, pod] of [server, client].entries()) {
      const n = index + 1
      await runIp(node, [
        `link add pod${n} type veth peer name eth0 netns /proc/${process.pid}/fd/${pod.fd}`,
        `addr add 10.91.${n}.1/24 dev pod${n}`,
        `addr add fd91:${n}::1/64 dev pod${n} nodad`,
        `link set pod${n} up`,
      ])
      await runIp(pod, [
        'link set lo up',
        `addr add 10.91.${n}.2/24 dev eth0`,
        `addr add fd91:${n}::2/64 dev eth0 nodad`,
        'link set eth0 up',
        `route add default via 10.91.${n}.1`,
        `route add ::/0 via fd91:${n}::1`,
      ])
    }
    node.run(() => {
      writeFileSync('/proc/sys/net/ipv4/ip_forward', '1')
      writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1')
    })
    for (const netns of [server, node]) {
      for (const port of [8080, 8081]) {
        const listening: Server = await netnsSockets(netns).listen({
          ip: ipOf('::'),
          port,
          onConnection: (socket) => socket.on('error', () => undefined).pipe(socket),
        })
        world.#stack.defer(() => void listening.close())
      }
    }
    // The very first packet may have to wait until the link's own address is settled.
    for (const to of SERVER) await world.reaches(client, to, 8080, 5000)
    return world
  }

  isolate(...pods: readonly PodIsolation[]): Promise<unknown> {
    return runNft(this.node, policyRuleset(pods))
  }

  /** Whether a connection stands in time. */
  async reaches(from: Netns, to: string, port = 8080, timeoutMs = SILENCE_MS): Promise<boolean> {
    try {
      const socket = await netnsSockets(from).dial({ to: { ip: ipOf(to), port }, timeoutMs })
      socket.on('error', () => undefined)
      socket.destroy()
      return true
    } catch {
      return false
    }
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }
}

const chain = (...rules: string[]): readonly PolicyChain[] => [{ name: 'np-1', rules }]
const server = (ingress: readonly PolicyChain[] | undefined, egress?: readonly PolicyChain[]): PodIsolation => {
  return { ips: SERVER, ingress, egress }
}

test.serial('a denied pod hears nobody but its node; other ports, addresses and families as allowed', async (t) => {
  using world = await World.create()
  const { client, node } = world
  await world.isolate()
  for (const to of SERVER) t.true(await world.reaches(client, to), `${to} without a policy`)

  await world.isolate(server(chain()))
  for (const to of SERVER) {
    t.false(await world.reaches(client, to), `${to} with nobody allowed`)
    t.true(await world.reaches(node, to), `${to} from its node, as probes come`)
    t.true(await world.reaches(world.server, to), `${to} from itself`)
  }

  await world.isolate(server(chain(`ip saddr { ${CLIENT[0]} } tcp dport 8080 accept`)))
  t.deepEqual(
    [
      await world.reaches(client, SERVER[0]),
      await world.reaches(client, SERVER[0], 8081),
      await world.reaches(client, SERVER[1]),
    ],
    [true, false, false],
  )
  await world.isolate(
    server(
      chain('ip6 saddr fd91::/16 tcp dport 8080-8081 accept', `ip daddr . tcp dport { ${SERVER[0]} . 8081 } accept`),
    ),
  )
  t.deepEqual(
    [await world.reaches(client, SERVER[1], 8081), await world.reaches(client, SERVER[0], 8081)],
    [true, true],
  )
  await world.isolate(server(chain('ip saddr 10.91.0.0/16 ip saddr != 10.91.2.0/24 accept')))
  t.false(await world.reaches(client, SERVER[0]), 'excepted')
})

test.serial('what a pod sends is asked about too, to other pods and to its node', async (t) => {
  using world = await World.create()
  const sender: PodIsolation = { ips: CLIENT, ingress: undefined, egress: chain('tcp dport 8081 accept') }
  await world.isolate(sender)
  for (const [to, node] of [
    [SERVER[0], '10.91.2.1'],
    [SERVER[1], 'fd91:2::1'],
  ] as const) {
    t.false(await world.reaches(world.client, to))
    t.true(await world.reaches(world.client, to, 8081))
    t.false(await world.reaches(world.client, node))
    t.true(await world.reaches(world.client, node, 8081))
  }
  await world.isolate(sender, server(chain()))
  t.false(await world.reaches(world.client, SERVER[0], 8081), 'both sides have to agree')
})

test.serial('a connection that stands goes on when its policy comes, and is not made again', async (t) => {
  using world = await World.create()
  await world.isolate()
  const socket = await netnsSockets(world.client).dial({ to: { ip: ipOf(SERVER[0]), port: 8080 }, timeoutMs: 3000 })
  const answer = (): Promise<Buffer> => new Promise((resolve) => socket.once('data', resolve))
  socket.write('before')
  t.is(String(await answer()), 'before')
  await world.isolate(server(chain()))
  socket.write('after')
  t.is(String(await answer()), 'after')
  t.false(await world.reaches(world.client, SERVER[0]))
  socket.destroy()
})
