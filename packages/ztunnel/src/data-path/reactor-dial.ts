import { codeOf, formatSocketAddress } from '@ambit/core'
import { type DescriptorFactory, DialTimeoutError, SPOOFED_PORT_ATTEMPTS } from '@ambit/linux'
import { CONNECT_TIMEOUT_MS } from '../limits.ts'
import type { PathDial } from './data-path.types.ts'

/** Has sockets of the pod's connected until one is; rejects with what Node's own would reject with. */
export async function dialByReactor<Dialled>(
  descriptors: DescriptorFactory,
  dial: PathDial,
  signal: AbortSignal,
  connect: (fd: number) => Promise<Dialled>,
): Promise<Dialled> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    const fd = descriptors.client(dial)
    try {
      return await connect(fd)
    } catch (error) {
      signal.throwIfAborted()
      // Another connection of the same foreign port to the same place: the next port is free.
      const isPortTaken = dial.from !== undefined && systemCode(error) === 'EADDRNOTAVAIL'
      if (!isPortTaken || attempt === SPOOFED_PORT_ATTEMPTS) throw dialError(error, dial)
    }
  }
}

function dialError(error: unknown, { to }: PathDial): unknown {
  const code = systemCode(error)
  if (code === undefined) return error
  const address = formatSocketAddress(to)
  if (code === 'ETIMEDOUT') {
    return new DialTimeoutError(`connect to ${address}: no answer within ${CONNECT_TIMEOUT_MS} ms`, { cause: error })
  }
  return Object.assign(new Error(`connect ${code} ${address}`, { cause: error }), { code, syscall: 'connect' })
}

function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? codeOf(error.cause) : undefined
  return typeof code === 'string' ? code : undefined
}
