import { ip, type SocketAddress } from '@ambit/core'
import type { AdminServer } from './admin-server.ts'

/** Listens at `::` where the machine has IPv6, otherwise at every IPv4 address; at any other address as asked. */
export async function listenAnywhere(server: AdminServer, address: SocketAddress): Promise<SocketAddress> {
  try {
    return await server.listen(address)
  } catch (error) {
    if (address.ip !== '::') throw error
    return await server.listen({ ...address, ip: ip('0.0.0.0') })
  }
}
