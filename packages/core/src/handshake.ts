import type { Socket } from 'node:net'

/** Negotiates on a socket and destroys it when that takes longer: a mute peer would otherwise hold it for ever. */
async function withinHandshake<T>(
  socket: Socket,
  timeoutMs: number,
  negotiate: (socket: Socket) => Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new Error(`the handshake did not complete within ${timeoutMs} ms`)
    reject(error)
    socket.destroy(error)
  }, timeoutMs)
  try {
    return await Promise.race([negotiate(socket), late])
  } finally {
    clearTimeout(timer)
  }
}

/** The part of a TLS stack that negotiates, as grpc-js has it. */
interface Connector<T> {
  connect(socket: Socket): Promise<T>
}

/**
 * Bounds every handshake made with these credentials of grpc-js, which itself waits without end for a peer that accepts and
 * says nothing, even after the call or channel was given up. Typed by what is used of them: this package knows no gRPC.
 */
export function boundHandshakes<T>(
  credentials: { _createSecureConnector(...target: never[]): Connector<T> },
  timeoutMs: number,
): void {
  const newConnector = credentials._createSecureConnector.bind(credentials)
  credentials._createSecureConnector = (...target) => {
    const connector = newConnector(...target)
    const connect = connector.connect.bind(connector)
    connector.connect = (socket) => withinHandshake(socket, timeoutMs, connect)
    return connector
  }
}
