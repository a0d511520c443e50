import { join } from 'node:path'
import { type FileProblem, readDocuments, type Sourced } from '@ambit/analyze'
import { messageOf } from '@ambit/core'
import type { Context } from '../context.types.ts'
import { SelectionError } from '../errors.ts'
import { MAX_ANALYZED_FILES } from '../limits.ts'

const EXTENSION = /\.(?:json|ya?ml)$/
const STDIN = '-'

export interface FilesRead {
  /** As given or found, those that were read. */
  readonly names: readonly string[]
  readonly objects: readonly Sourced[]
  readonly problems: readonly FileProblem[]
  /** Given, and not of a kind that is read. */
  readonly skipped: readonly string[]
}

type Files = Pick<Context, 'readFile' | 'listFolder'>

/** Objects of files and folders; those without a namespace are of the one given. */
export async function readFiles(files: Files, given: readonly string[], namespace: string): Promise<FilesRead> {
  const names: string[] = []
  const skipped: string[] = []
  for (const path of given) {
    const inside = path === STDIN ? undefined : await files.listFolder(path).catch(() => undefined)
    if (inside !== undefined) await addFolder(files, path, inside, names)
    else if (path === STDIN || EXTENSION.test(path)) names.push(path)
    else skipped.push(path)
  }
  if (names.length > MAX_ANALYZED_FILES) throw new SelectionError(`more than ${MAX_ANALYZED_FILES} files`)
  const objects: Sourced[] = []
  const problems: FileProblem[] = []
  for (const name of names) {
    const read = readDocuments(name, await readOne(files, name), namespace)
    objects.push(...read.objects)
    problems.push(...read.problems)
  }
  return { names, objects, problems, skipped }
}

async function readOne(files: Files, name: string): Promise<string> {
  try {
    return await files.readFile(name === STDIN ? '/dev/stdin' : name)
  } catch (cause) {
    throw new SelectionError(`cannot read ${name}: ${messageOf(cause)}`, { cause })
  }
}

async function addFolder(files: Files, folder: string, inside: readonly string[], names: string[]): Promise<void> {
  for (const entry of inside.toSorted()) {
    if (names.length > MAX_ANALYZED_FILES) return
    const path = join(folder, entry)
    if (EXTENSION.test(entry)) names.push(path)
    else {
      const below = await files.listFolder(path).catch(() => undefined)
      if (below !== undefined) await addFolder(files, path, below, names)
    }
  }
}
