import { PassThrough } from 'node:stream'
import type { ExecSession } from '../apiserver/contract.types.ts'
import { LIMITS } from '../limits.ts'
import type { ContainerProcess } from './container-process.ts'

interface Attached {
  readonly stdout: PassThrough
  readonly stderr: PassThrough | undefined
}

/** Who is attached to a running container: everybody sees its output, everybody may type. */
export class Attachments {
  readonly #attached = new Set<Attached>()
  /** What was said before the first one came: `kubectl run -i` attaches when a quick program has already spoken. */
  #early: { readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }[] | undefined
  #earlyBytes = 0

  /** A new run of the program: nobody has heard anything of it yet. Only of interactive ones the beginning is kept. */
  reset(interactive: boolean): void {
    this.#early = interactive ? [] : undefined
    this.#earlyBytes = 0
  }

  write(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#keepEarly(stream, chunk)
    for (const one of [...this.#attached]) {
      const target = stream === 'stdout' ? one.stdout : one.stderr
      if (target === undefined) continue
      target.write(chunk)
      // The container doesn't wait for a reader that doesn't read.
      if (target.writableLength > LIMITS.attachBacklogBytes)
        target.destroy(new Error('reader of the attached container is too slow'))
    }
  }

  attach(
    running: ContainerProcess,
    o: { readonly tty: boolean; readonly stdin: boolean; readonly stdinOnce: boolean; readonly signal: AbortSignal },
  ): ExecSession {
    const attached: Attached = { stdout: new PassThrough(), stderr: o.tty ? undefined : new PassThrough() }
    this.#attached.add(attached)
    for (const { stream, chunk } of this.#early ?? [])
      (stream === 'stdout' ? attached.stdout : attached.stderr)?.write(chunk)
    this.#early = undefined
    const end = (): void => {
      this.#attached.delete(attached)
      attached.stdout.end()
      attached.stderr?.end()
    }
    for (const stream of [attached.stdout, attached.stderr]) stream?.on('error', end)
    o.signal.addEventListener('abort', end, { once: true })
    // How the program ended is told by the pod's status, not by whoever was attached.
    const exit = running.exited.then(() => {
      end()
      return { code: 0 }
    })
    return {
      stdin: o.stdin ? this.#input(running, o) : undefined,
      stdout: attached.stdout,
      stderr: attached.stderr,
      resize: running.resize,
      exit,
    }
  }

  #keepEarly(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    if (this.#early === undefined) return
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes > LIMITS.attachReplayBytes) this.#early = undefined
    else this.#early.push({ stream, chunk })
  }

  /** A way in of one's own, so that one leaving doesn't close the program's input, unless it was meant for one only. */
  #input(
    running: ContainerProcess,
    o: { readonly tty: boolean; readonly stdinOnce: boolean },
  ): PassThrough | undefined {
    const target = running.stdin
    if (target === undefined) return undefined
    const input = new PassThrough()
    input.pipe(target, { end: o.stdinOnce && !o.tty })
    return input
  }
}
