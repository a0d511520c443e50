import type { Clock, LogFields, Logger, LogLevel } from '@ambit/core'
import { systemClock } from '@ambit/core'
import type { LogFilter } from './log-filter.ts'
import { formatLogFilter, mergeFilters, parseLogFilter, rankFor, rankOf } from './log-filter.ts'
import { formatJson, formatPlain } from './log-format.ts'

export interface LoggerOptions {
  readonly format?: 'plain' | 'json' | undefined
  /** RUST_LOG syntax; scopes it does not name are at `info`. */
  readonly level?: string | undefined
  /** Scope of the root logger. */
  readonly scope?: string | undefined
  /** Takes one line with its newline. */
  readonly write?: ((line: string) => void) | undefined
  readonly clock?: Clock | undefined
}

/** What the filter of a running logger can be asked to do. */
export interface LogControl {
  current(): string
  /** Lays clauses over the filter; answers the reason when they cannot be read. */
  add(clauses: string): string | undefined
  /** Back to the filter the process started with. */
  reset(): void
}

export interface LeveledLogger extends Logger {
  readonly filter: LogControl
  scope(name: string): LeveledLogger
}

const DEFAULT_LEVEL = 'info'

/**
 * Throws a TypeError on a level text that cannot be read: a wrong RUST_LOG is found at start, not by missing lines.
 */
export function createLogger(options: LoggerOptions = {}): LeveledLogger {
  const parsed = parseLogFilter(options.level ?? '')
  if (!parsed.ok) throw new TypeError(`log level ${JSON.stringify(options.level)}: ${parsed.reason}`)
  const sink = new Sink(mergeFilters({ clauses: [{ scope: undefined, level: DEFAULT_LEVEL }] }, parsed.filter), options)
  return new ScopedLogger(sink, options.scope ?? 'app')
}

class Sink implements LogControl {
  readonly #initial: LogFilter
  readonly #clock: Clock
  readonly #write: (line: string) => void
  readonly #format: typeof formatPlain
  /** Counts changes, so that scopes can cache their rank. */
  generation = 0
  #filter: LogFilter

  constructor(initial: LogFilter, options: LoggerOptions) {
    this.#initial = initial
    this.#filter = initial
    this.#clock = options.clock ?? systemClock
    this.#write = options.write ?? ((line) => void process.stdout.write(line))
    this.#format = options.format === 'json' ? formatJson : formatPlain
  }

  current(): string {
    return formatLogFilter(this.#filter)
  }

  add(clauses: string): string | undefined {
    const parsed = parseLogFilter(clauses)
    if (!parsed.ok) return parsed.reason
    this.#set(mergeFilters(this.#filter, parsed.filter))
    return undefined
  }

  reset(): void {
    this.#set(this.#initial)
  }

  rank(scope: string): number {
    return rankFor(this.#filter, scope)
  }

  line(level: LogLevel, scope: string, message: string, fields: LogFields | undefined): void {
    // The wall clock has milliseconds; the monotonic one supplies the microseconds within.
    const timeUs = this.#clock.now() * 1000 + (Math.floor(this.#clock.monotonic() * 1000) % 1000)
    this.#write(`${this.#format({ timeUs, level, scope, message, fields })}\n`)
  }

  #set(filter: LogFilter): void {
    this.#filter = filter
    this.generation++
  }
}

class ScopedLogger implements LeveledLogger {
  readonly #sink: Sink
  readonly #scope: string
  #rank = 0
  #generation = -1

  constructor(sink: Sink, scope: string) {
    this.#sink = sink
    this.#scope = scope
  }

  get filter(): LogControl {
    return this.#sink
  }

  error(message: string, fields?: LogFields): void {
    this.#log('error', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#log('warn', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#log('info', message, fields)
  }

  debug(message: string, fields?: LogFields): void {
    this.#log('debug', message, fields)
  }

  trace(message: string, fields?: LogFields): void {
    this.#log('trace', message, fields)
  }

  enabled(level: LogLevel): boolean {
    if (this.#generation !== this.#sink.generation) {
      this.#generation = this.#sink.generation
      this.#rank = this.#sink.rank(this.#scope)
    }
    return rankOf(level) <= this.#rank
  }

  scope(name: string): LeveledLogger {
    return new ScopedLogger(this.#sink, name)
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (this.enabled(level)) this.#sink.line(level, this.#scope, message, fields)
  }
}
