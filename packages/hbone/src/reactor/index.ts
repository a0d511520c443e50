export type { ReactorFacts } from './messages.types.ts'
export * from './reactor.ts'
export type { ReactorConnection } from './reactor-connection.ts'
export type {
  ReactorConnectOptions,
  ReactorCopy,
  ReactorCopyOptions,
  ReactorJoined,
} from './reactor-copies.ts'
export { ReactorCrashError } from './reactor-errors.ts'
export {
  type ReactorSecureOptions,
  type SecuredByReactor,
  secureClientByReactor,
  secureServerByReactor,
} from './reactor-peer.ts'
export { type CopiedTunnel, ReactorPool, type ReactorPoolComponents } from './reactor-pool.ts'
export * from './reactor-server.ts'
export {
  type ReactorAcceptOptions,
  ReactorClientSession,
  ReactorRequest,
  type ReactorServeOptions,
  ReactorServerSession,
  type ReactorTunnel,
} from './reactor-session.ts'
