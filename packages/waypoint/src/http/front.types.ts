import type { Exchange } from './exchange.types.ts'

/** A request that never became one: what the client got, for the log. */
export interface ProtocolError {
  readonly status: number
  readonly reason: string
}

/** What is done with the requests of one connection. */
export interface FrontHandler {
  request(exchange: Exchange): void
  protocolError(error: ProtocolError): void
}
