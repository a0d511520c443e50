import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { LIMITS } from '../limits.ts'

export interface LogQuery {
  readonly follow: boolean
  readonly tailLines?: number | undefined
  readonly sinceSeconds?: number | undefined
  readonly timestamps?: boolean | undefined
  readonly limitBytes?: number | undefined
  readonly signal: AbortSignal
}

type Stream = 'stdout' | 'stderr'

/** The log of one run of a container: lines in a file, `<time> <stream> F <text>` as CRI writes them. */
export class ContainerLog {
  readonly #path: string
  readonly #now: () => number
  readonly #partial: Record<Stream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
  readonly #followers = new Set<{ line(line: string): void; end(): void }>()
  #fd: number | undefined
  #size = 0
  #lastTime = ''
  #sequence = 0

  constructor(path: string, now: () => number) {
    this.#path = path
    this.#now = now
    mkdirSync(dirname(path), { recursive: true })
    this.#fd = openSync(path, 'a', 0o600)
  }

  write(stream: Stream, chunk: Buffer): void {
    let rest = Buffer.concat([this.#partial[stream], chunk])
    const lines: Buffer[] = []
    for (;;) {
      const end = rest.indexOf(0x0a)
      if (end >= 0 && end <= LIMITS.logLineBytes) {
        lines.push(rest.subarray(0, end))
        rest = rest.subarray(end + 1)
      } else if (rest.length > LIMITS.logLineBytes) {
        lines.push(rest.subarray(0, LIMITS.logLineBytes))
        rest = rest.subarray(LIMITS.logLineBytes)
      } else break
    }
    this.#partial[stream] = Buffer.from(rest)
    this.#append(stream, lines)
  }

  /** Ends the log: last unfinished lines are written, followers finish. */
  close(): void {
    if (this.#fd === undefined) return
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#partial[stream].length > 0) this.#append(stream, [this.#partial[stream]])
    }
    closeSync(this.#fd)
    this.#fd = undefined
    for (const follower of [...this.#followers]) follower.end()
    this.#followers.clear()
  }

  remove(): void {
    this.close()
    rmSync(this.#path, { force: true })
    rmSync(`${this.#path}.1`, { force: true })
  }

  /** The last lines, for the message of a failed container. */
  tail(lines: number): string {
    return this.#history()
      .slice(-lines)
      .map((line) => textOf(line, false))
      .join('\n')
  }

  read(query: LogQuery): Readable {
    let lines = this.#history()
    const since = query.sinceSeconds
    if (since !== undefined) {
      const from = new Date(this.#now() - since * 1000).toISOString()
      lines = lines.filter((line) => line.slice(0, from.length) >= from)
    }
    if (query.tailLines !== undefined) lines = query.tailLines === 0 ? [] : lines.slice(-query.tailLines)
    let left = query.limitBytes ?? Number.POSITIVE_INFINITY
    const output = new Readable({ read: () => undefined, highWaterMark: 1 << 20 })
    const timestamps = query.timestamps === true
    const push = (text: string): void => {
      const bytes = Buffer.from(text).subarray(0, Math.min(left, text.length * 4))
      left -= bytes.length
      if (bytes.length > 0) output.push(bytes)
      if (left <= 0) output.push(null)
    }
    if (lines.length > 0) push(lines.map((line) => `${textOf(line, timestamps)}\n`).join(''))
    if (!query.follow || this.#fd === undefined || left <= 0) {
      if (left > 0) output.push(null)
      return output
    }
    let waiting = 0
    const follower = {
      line: (line: string): void => {
        waiting = output.readableLength === 0 ? 0 : waiting + 1
        if (waiting > LIMITS.logFollowerLines) {
          this.#followers.delete(follower)
          output.destroy(new Error('log reader is too slow'))
        } else push(`${textOf(line, timestamps)}\n`)
      },
      end: (): void => void output.push(null),
    }
    this.#followers.add(follower)
    const stop = (): void => void this.#followers.delete(follower)
    output.once('close', stop)
    const onAbort = (): void => {
      stop()
      output.push(null)
    }
    if (query.signal.aborted) onAbort()
    else query.signal.addEventListener('abort', onAbort, { once: true })
    return output
  }

  #append(stream: Stream, lines: readonly Buffer[]): void {
    if (lines.length === 0 || this.#fd === undefined) return
    const formatted = lines.map((line) => `${this.#timestamp()} ${stream} F ${line.toString()}`)
    const bytes = Buffer.from(`${formatted.join('\n')}\n`)
    if (this.#size > 0 && this.#size + bytes.length > LIMITS.containerLogBytes) this.#rotate()
    writeSync(this.#fd, bytes)
    this.#size += bytes.length
    for (const follower of [...this.#followers]) for (const line of formatted) follower.line(line)
  }

  /** Nanoseconds so that lines of one millisecond keep an order that readers can resume from. */
  #timestamp(): string {
    const time = new Date(this.#now()).toISOString()
    this.#sequence = time === this.#lastTime ? Math.min(this.#sequence + 1, 999_999) : 0
    this.#lastTime = time
    return `${time.slice(0, -1)}${String(this.#sequence).padStart(6, '0')}Z`
  }

  #rotate(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    renameSync(this.#path, `${this.#path}.1`)
    this.#fd = openSync(this.#path, 'a', 0o600)
    this.#size = 0
  }

  #history(): string[] {
    return [`${this.#path}.1`, this.#path].flatMap((path) => {
      try {
        return readFileSync(path, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
      } catch {
        return []
      }
    })
  }
}

function textOf(line: string, timestamps: boolean): string {
  const time = line.indexOf(' ')
  const stream = line.indexOf(' ', time + 1)
  const text = line.slice(line.indexOf(' ', stream + 1) + 1)
  return timestamps ? `${line.slice(0, time)} ${text}` : text
}
