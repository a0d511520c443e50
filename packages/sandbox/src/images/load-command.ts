import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { AmbitError } from '@ambit/core'
import { imageName } from './catalogue.ts'
import type { LoadedImage } from './loaded-images.ts'

/** What was asked to be loaded can't be run in a container. */
export class LoadImageError extends AmbitError {
  readonly code = 'SANDBOX_LOAD_IMAGE'
}

/** Where a folder that is an image appears in its containers. */
const APP = '/app'
/** Of Docker's references: registry, path, tag. */
const REFERENCE = /^[a-z0-9]+([._:/-]+[A-Za-z0-9]+)*$/
const PROGRAM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
const USAGE = 'write IMAGE=COMMAND, as in my/web=./server --port 80, or IMAGE=FOLDER:PROGRAM'

/** `IMAGE=COMMAND` or `IMAGE=FOLDER:PROGRAM`, with words as in a shell; paths are those of the machine. */
export function parseLoad(
  text: string,
  o: { readonly cwd: string; readonly workspace: string },
): { readonly name: string; readonly image: LoadedImage } {
  const equals = text.indexOf('=')
  const reference = text.slice(0, Math.max(0, equals)).trim()
  if (!REFERENCE.test(reference)) throw new LoadImageError(`'${reference}' is no name of an image; ${USAGE}`)
  const words = shellWords(text.slice(equals + 1))
  const [program = ''] = words
  if (program === '') throw new LoadImageError(`image ${reference} has no command; ${USAGE}`)
  return { name: imageName(reference), image: folderImage(words, o.cwd) ?? commandImage(words, o) }
}

/** `./dir:bin/start --flag`: the folder is shown as /app. */
function folderImage([program = '', ...args]: readonly string[], cwd: string): LoadedImage | undefined {
  const colon = program.lastIndexOf(':')
  const folder = resolve(cwd, program.slice(0, Math.max(0, colon)))
  if (colon <= 0 || !isFolder(folder)) return undefined
  const entry = join('/', program.slice(colon + 1))
  requireProgram(join(folder, entry))
  const mounts = [{ source: realpathSync(folder), target: APP }]
  return { command: [join(APP, entry), ...args], mounts, workingDir: APP }
}

/** A program by name or path; what lies where containers don't see it is shown at its own place. */
function commandImage(
  [program = '', ...args]: readonly string[],
  o: { readonly cwd: string; readonly workspace: string },
): LoadedImage {
  const mounts = new Map<string, { source: string; target: string }>()
  const place = (word: string): string => {
    const path = resolve(o.cwd, word)
    if (isSeen(path, o.workspace)) return path
    const target = shownAt(path)
    mounts.set(target, { source: realpathSync(target), target })
    return path
  }
  const byPath = program.includes('/')
  if (byPath) requireProgram(resolve(o.cwd, program))
  else if (program !== 'node' && !PROGRAM_FOLDERS.some((folder) => existsSync(join(folder, program))))
    throw new LoadImageError(
      `containers have no program ${program}: give its path, or install it below /usr (looked in ${PROGRAM_FOLDERS.join(', ')})`,
    )
  const isOwn = (word: string): boolean => /^\.{1,2}\//.test(word) && existsSync(resolve(o.cwd, word))
  const command = [byPath ? place(program) : program, ...args.map((word) => (isOwn(word) ? place(word) : word))]
  return { command, mounts: [...mounts.values()] }
}

/** A file's folder, so that it finds what is beside it; in folders of everybody's only itself. */
function shownAt(path: string): string {
  if (isFolder(path)) return path
  const folder = dirname(path)
  return folder.split('/').filter(Boolean).length <= 1 ? path : folder
}

function isSeen(path: string, workspace: string): boolean {
  return ['/usr/', '/bin/', '/sbin/', '/lib/', `${workspace}/`].some((folder) => path.startsWith(folder))
}

function requireProgram(path: string): void {
  try {
    accessSync(path, constants.X_OK)
    if (statSync(path).isFile()) return
  } catch (cause) {
    throw new LoadImageError(
      existsSync(path) ? `${path} can't be run; type: chmod +x ${path}` : `there is no program ${path}`,
      { cause },
    )
  }
  throw new LoadImageError(`${path} is no program`)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Words as a shell separates them; quotes keep spaces together. Nothing is expanded. */
export function shellWords(text: string): string[] {
  const words: string[] = []
  for (const [, word = ''] of text.matchAll(/((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gs))
    words.push(
      word.replaceAll(
        /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs,
        (_all, double?: string, single?: string, escaped?: string) =>
          double === undefined ? (single ?? escaped ?? '') : double.replaceAll(/\\(["\\$`])/g, '$1'),
      ),
    )
  return words
}
