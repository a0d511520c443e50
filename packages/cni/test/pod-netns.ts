import type { Socket } from 'node:net'
import { ip } from '@ambit/core'
import { Netns, netnsSockets, readIp, readNft, runIp } from '@ambit/linux'

/** A node's namespace with pods cabled to it; pod N has 10.91.N.2 and fd91:N::2, the node .1 and ::1. */
export class TestNode implements Disposable {
  readonly host: Netns = Netns.create()
  readonly #pods: Netns[] = []

  static async create(): Promise<TestNode> {
    const node = new TestNode()
    await runIp(node.host, ['link set lo up'])
    return node
  }

  async addPod(number: number): Promise<Netns> {
    const pod = Netns.create()
    this.#pods.push(pod)
    await runIp(this.host, [`link add pod${number} type veth peer name eth0 netns /proc/${process.pid}/fd/${pod.fd}`])
    await runIp(this.host, [
      `addr add 10.91.${number}.1/24 dev pod${number}`,
      `addr add fd91:${number}::1/64 dev pod${number} nodad`,
      `link set pod${number} up`,
    ])
    await runIp(pod, [
      'link set lo up',
      `addr add 10.91.${number}.2/24 dev eth0`,
      `addr add fd91:${number}::2/64 dev eth0 nodad`,
      'link set eth0 up',
      `route add default via 10.91.${number}.1`,
      `route add default via fd91:${number}::1`,
    ])
    return pod
  }

  [Symbol.dispose](): void {
    for (const netns of [this.host, ...this.#pods]) netns[Symbol.dispose]()
  }
}

/** Everything rules could have changed, as text to compare. */
export async function networkState(netns: Netns): Promise<string> {
  const table = (family: string) => readIp(netns, [family, 'route', 'show', 'table', '100']).catch(() => '')
  const parts = [
    readNft(netns, ['list', 'ruleset']),
    readIp(netns, ['-4', 'rule', 'show']),
    readIp(netns, ['-6', 'rule', 'show']),
    table('-4'),
    table('-6'),
  ]
  return (await Promise.all(parts)).join('---\n')
}

export interface Arrival {
  readonly port: number
  readonly from: string
  readonly originally: string
}

/** Listens in the namespace and reports where each connection came from and where it was going. */
export async function listenFor(
  netns: Netns,
  ports: readonly number[],
  mark?: number,
): Promise<{ next: () => Promise<Arrival> } & Disposable> {
  const sockets = netnsSockets(netns, { mark })
  const arrivals: Arrival[] = []
  let wake: (() => void) | undefined
  const accept = (port: number) => (socket: Socket) => {
    const to = sockets.originalDestination(socket)
    arrivals.push({
      port,
      from: socket.remoteAddress?.replace('::ffff:', '') ?? '',
      originally: `${to?.ip} ${to?.port}`,
    })
    socket.destroy()
    wake?.()
  }
  const servers = await Promise.all(
    ports.map((port) => sockets.listen({ ip: ip('::'), port, onConnection: accept(port) })),
  )
  return {
    async next() {
      while (arrivals.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      const [first] = arrivals.splice(0, 1)
      return first!
    },
    [Symbol.dispose]() {
      for (const server of servers) server.close()
    },
  }
}

/** Connects as an application would and drops the connection. */
export async function knock(netns: Netns, to: string, port: number, mark?: number): Promise<void> {
  const socket = await netnsSockets(netns, { mark }).dial({ to: { ip: ip(to), port }, timeoutMs: 3000 })
  socket.on('error', () => undefined)
  socket.destroy()
}
