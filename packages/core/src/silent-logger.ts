import type { Logger } from './log.types.ts'

/** A logger that says nothing, for callers that were given none. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  trace: () => undefined,
  enabled: () => false,
  scope: () => silentLogger,
}
