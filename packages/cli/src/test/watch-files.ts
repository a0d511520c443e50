import { type FSWatcher, statSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { messageOf } from '@ambit/core'
import { SettingError } from '../errors.ts'
import { WATCH_DEBOUNCE_MS } from '../limits.ts'

export interface WatchOptions {
  readonly run: () => Promise<void>
  readonly until: Promise<void>
  readonly tell: (line: string) => void
}

const READ = /\.(?:json|ya?ml)$/

/**
 * Runs once, and again whenever one of the files or something in one of the folders changes. Changes while it runs, and several close
 * together, make one run.
 */
export async function watchFiles(paths: readonly string[], { run, until, tell }: WatchOptions): Promise<void> {
  if (paths.includes('-')) throw new SettingError('--watch needs files: stdin is read once')
  const changes = new Changes()
  using watchers = new DisposableStack()
  for (const path of paths) {
    const watcher = watchOne(path, () => changes.note())
    watcher.on('error', (error) => tell(`Error: ${path} is not watched any more: ${messageOf(error)}`))
    watchers.defer(() => watcher.close())
  }
  watchers.defer(() => changes.end())
  void until.then(() => changes.end())
  do {
    await run()
    if (!changes.ended) tell('Waiting for changes; Ctrl-C ends')
  } while (await changes.next())
}

/** Editors put a new file in the place of the old one: a file is watched in its folder. */
function watchOne(path: string, onChange: () => void): FSWatcher {
  if (statSync(path).isDirectory())
    return watch(path, { recursive: true }, (_event, name) => {
      if (name === null || READ.test(name) || !name.includes('.')) onChange()
    })
  const file = basename(path)
  return watch(dirname(path), (_event, name) => {
    if (name === null || name === file) onChange()
  })
}

/** Whether something changed since it was last asked; several changes close together are one. */
class Changes {
  ended = false
  #changed = false
  #timer: NodeJS.Timeout | undefined
  #waiting: ((again: boolean) => void) | undefined

  note(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#changed = true
      this.#wake()
    }, WATCH_DEBOUNCE_MS)
  }

  end(): void {
    this.ended = true
    clearTimeout(this.#timer)
    this.#wake()
  }

  /** Resolves at the next change, to false at the end. */
  async next(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#waiting = resolve
    this.#wake()
    return await promise
  }

  #wake(): void {
    if (this.#waiting === undefined || !(this.#changed || this.ended)) return
    const resolve = this.#waiting
    this.#waiting = undefined
    this.#changed = false
    resolve(!this.ended)
  }
}
