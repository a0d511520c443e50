export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** Fields in the order they are to be printed; undefined ones are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Logger {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  trace(message: string, fields?: LogFields): void
  /** Ask before building expensive fields. */
  enabled(level: LogLevel): boolean
  /** The same sink under another scope name, e.g. `access`. */
  scope(name: string): Logger
}
