import type { Server } from 'node:net'
import { ip, type ListenOptions, type SocketFactory } from '@ambit/core'

/** Listens at `::` where the machine has IPv6, otherwise at every IPv4 address; at any other address as asked. */
export async function listenEverywhere(sockets: SocketFactory, options: ListenOptions): Promise<Server> {
  try {
    return await sockets.listen(options)
  } catch (error) {
    if (options.ip !== '::') throw error
    return await sockets.listen({ ...options, ip: ip('0.0.0.0') })
  }
}
