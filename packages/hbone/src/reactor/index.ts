export type { ReactorFacts } from './messages.types.ts'
export * from './reactor.ts'
export type { ReactorConnection } from './reactor-connection.ts'
export { ReactorCrashError } from './reactor-errors.ts'
export {
  ReactorClientSession,
  ReactorRequest,
  type ReactorServeOptions,
  ReactorServerSession,
  type ReactorTunnel,
} from './reactor-session.ts'
