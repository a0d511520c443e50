import type { ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { codeOf, messageOf } from '@ambit/core'
import type { MachinePort, ToInner } from './messages.types.ts'

/** Opens a port of the machine's loopback and gives it to the inside, which is in a network of its own and can't. */
export async function handOverPort(inner: ChildProcess, id: number, port: MachinePort): Promise<void> {
  const refuse = (error: unknown): void => {
    const refusal: ToInner = { type: 'port-refused', id, code: codeOf(error) ?? 'EUNKNOWN', message: messageOf(error) }
    if (inner.connected) inner.send(refusal)
  }
  // Whoever is inside may ask for anything; only the loopback is opened to it.
  if (!port.address.startsWith('127.')) return refuse(new Error(`${port.address} is not on the loopback`))
  const message: ToInner = { type: 'port', id }
  try {
    if (port.protocol === 'udp') {
      const socket = createSocket('udp4')
      socket.on('error', () => undefined)
      socket.bind(port.port, port.address)
      await once(socket, 'listening')
      if (inner.connected) inner.send(message, socket, () => socket.close())
      else socket.close()
      return
    }
    const server = createServer((early) => early.destroy())
    server.listen(port.port, port.address)
    await once(server, 'listening')
    if (inner.connected) inner.send(message, server, () => server.close())
    else server.close()
  } catch (error) {
    refuse(error)
  }
}
