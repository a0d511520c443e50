import { mkdirSync, readFileSync, renameSync, statSync, watch, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AmbitError, codeOf } from '@ambit/core'
import { LIMITS } from '../limits.ts'

/** The list of loaded images can't be read, or can't take another one. */
export class LoadedImagesError extends AmbitError {
  readonly code = 'SANDBOX_LOADED_IMAGES'
}

/** A program of the machine that somebody has given an image's name. */
export interface LoadedImage {
  readonly command: readonly string[]
  /** Folders and files of the machine that its containers see, read-only. */
  readonly mounts: readonly { readonly source: string; readonly target: string }[]
  readonly workingDir?: string | undefined
}

export type ImageList = Readonly<Record<string, LoadedImage>>

const FILE = 'images.json'

/** Where a sandbox keeps its list: with its data when it has a folder for that, else in its state. */
export function imageListFile(config: {
  readonly stateFolder: string
  readonly dataFolder?: string | undefined
}): string {
  return join(config.dataFolder ?? config.stateFolder, FILE)
}

export function readImageList(file: string): ImageList {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ImageList
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return {}
    throw new LoadedImagesError(`the list of loaded images ${file} can't be read; remove it and load them again`, {
      cause,
    })
  }
}

/** Adds an image, or replaces the one of that name. Readers see the old list or the new one. */
export function addToImageList(file: string, name: string, image: LoadedImage): void {
  const list = { ...readImageList(file), [name]: image }
  if (Object.keys(list).length > LIMITS.loadedImages)
    throw new LoadedImagesError(`a sandbox takes ${LIMITS.loadedImages} loaded images; remove some from ${file}`)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const next = `${file}.${process.pid}`
  writeFileSync(next, `${JSON.stringify(list, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(next, file)
}

/** The list as a running sandbox follows it. */
export class LoadedImages implements Disposable {
  readonly #file: string
  readonly #watcher: Disposable
  #list: ImageList = {}
  #version = ''
  #changed = Promise.withResolvers<void>()

  constructor(file: string) {
    this.#file = file
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === basename(file)) this.#wake()
    })
    // Where nothing can be watched, who waits for an image looks again after its pause.
    watcher.on('error', () => undefined)
    this.#watcher = { [Symbol.dispose]: () => watcher.close() }
  }

  /** Resolves when the list has changed. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  /** The image whose name this one has, or ends with. */
  find(name: string): { readonly name: string; readonly image: LoadedImage } | undefined {
    this.#refresh()
    for (let rest = name; rest !== ''; ) {
      const image = Object.hasOwn(this.#list, rest) ? this.#list[rest] : undefined
      if (image !== undefined) return { name: rest, image }
      const slash = rest.indexOf('/')
      rest = slash < 0 ? '' : rest.slice(slash + 1)
    }
    return undefined
  }

  get names(): readonly string[] {
    this.#refresh()
    return Object.keys(this.#list)
  }

  [Symbol.dispose](): void {
    this.#watcher[Symbol.dispose]()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  #refresh(): void {
    const facts = statSync(this.#file, { throwIfNoEntry: false })
    const version = facts === undefined ? '' : `${facts.ino} ${facts.mtimeMs} ${facts.size}`
    if (version === this.#version) return
    this.#list = readImageList(this.#file)
    this.#version = version
  }
}
