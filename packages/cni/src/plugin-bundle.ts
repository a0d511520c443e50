import { readFileSync } from 'node:fs'
import { createRequire, stripTypeScriptTypes } from 'node:module'
import { basename, dirname, join } from 'node:path'

/** Modules of a program as plain JavaScript, by file name; the first is the program. */
export type Bundle = ReadonlyMap<string, string>

/**
 * The program and all it imports, with the types taken off and every import by a file name of the same folder: so it runs
 * where there is neither this workspace nor a folder of packages.
 */
export function bundleProgram(entry: string): Bundle {
  const names = new Map<string, string>()
  const modules = new Map<string, string>()
  const add = (file: string): string => {
    const known = names.get(file)
    if (known !== undefined) return known
    const name = `${basename(dirname(dirname(file)))}-${basename(file, '.ts')}.mjs`
    names.set(file, name)
    // Taken now, so that the program is first; its text comes when what it imports has names.
    modules.set(name, '')
    const source = stripTypeScriptTypes(readFileSync(file, 'utf8'))
    const text = source.replaceAll(
      /((?:^|\s)from\s+|\bimport\(|^import\s+)'([^']+)'/gm,
      (all: string, before: string, specifier: string) =>
        specifier.startsWith('node:') ? all : `${before}'./${add(resolve(file, specifier))}'`,
    )
    modules.set(name, text)
    return name
  }
  add(entry)
  return modules
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith('.') ? join(dirname(from), specifier) : createRequire(from).resolve(specifier)
}
