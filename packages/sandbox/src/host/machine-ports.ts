import type { Socket as UdpSocket } from 'node:dgram'
import type { Server } from 'node:net'
import { AmbitError } from '@ambit/core'
import type { FromInner, MachinePort, ToInner } from './messages.types.ts'

/** The machine does not give the port; `reason` is the system's error code. */
export class MachinePortError extends AmbitError {
  readonly code = 'SANDBOX_MACHINE_PORT'
  readonly reason: string

  constructor(message: string, reason: string) {
    super(message)
    this.reason = reason
  }
}

/** Ports outside of the sandbox's own network. */
export interface MachinePorts {
  openTcp(address: string, port: number): Promise<Server>
  openUdp(address: string, port: number): Promise<UdpSocket>
}

type Channel = Pick<NodeJS.Process, 'send' | 'on'>

/** Has the daemon outside open them, and receives them over its channel. */
export class DaemonPorts implements MachinePorts {
  readonly #channel: Channel
  readonly #waiting = new Map<number, PromiseWithResolvers<Server | UdpSocket>>()
  #next = 1

  constructor(channel: Channel) {
    this.#channel = channel
    channel.on('message', (message, handle) => this.#receive(message as ToInner, handle))
  }

  async openTcp(address: string, port: number): Promise<Server> {
    return (await this.#open({ protocol: 'tcp', address, port })) as Server
  }

  async openUdp(address: string, port: number): Promise<UdpSocket> {
    return (await this.#open({ protocol: 'udp', address, port })) as UdpSocket
  }

  #open(port: MachinePort): Promise<Server | UdpSocket> {
    const id = this.#next++
    const answer = Promise.withResolvers<Server | UdpSocket>()
    this.#waiting.set(id, answer)
    const message: FromInner = { type: 'want-port', id, port }
    this.#channel.send?.(message)
    return answer.promise
  }

  #receive(message: ToInner, handle: unknown): void {
    if (message.type !== 'port' && message.type !== 'port-refused') return
    const answer = this.#waiting.get(message.id)
    this.#waiting.delete(message.id)
    if (message.type === 'port') answer?.resolve(handle as Server | UdpSocket)
    else answer?.reject(new MachinePortError(message.message, message.code))
  }
}
