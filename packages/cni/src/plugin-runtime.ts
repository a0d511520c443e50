import { createHash, randomBytes } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { AmbitError, codeOf } from '@ambit/core'
import { bundleProgram } from './plugin-bundle.ts'

/** This program does not say which libraries it runs with. */
export class UnknownRuntimeError extends AmbitError {
  override readonly code = 'UNKNOWN_RUNTIME'
}

/** Beside the plugin's executable, in the folder of CNI programs. */
export const RUNTIME_FOLDER = 'istio-cni.runtime'

export interface PluginRuntime {
  /** Folder below {@link RUNTIME_FOLDER}; another one for other content. */
  readonly id: string
  /** Files of this container, under their names in the folder. */
  readonly files: ReadonlyMap<string, string>
  readonly modules: ReadonlyMap<string, string>
  /** Words after the folder that start the plugin. */
  readonly loader: string
  readonly program: string
}

/**
 * What a node needs to run the plugin, which is this program's own Node: nodes have none, and not always the libraries it is
 * linked to. Those come along, with the loader that finds them.
 */
export async function pluginRuntime(pluginPath: string): Promise<PluginRuntime> {
  const libraries = mappedLibraries(await readFile('/proc/self/maps', 'utf8'))
  const loader = libraries.find((path) => /^ld-(linux|musl)/.test(basename(path)))
  if (loader === undefined) throw new UnknownRuntimeError('no dynamic loader among the libraries of this process')
  const modules = bundleProgram(pluginPath)
  const [program = ''] = modules.keys()
  const files = new Map([['node', process.execPath], ...libraries.map((path) => [askedName(path), path] as const)])
  const hash = createHash('sha256').update(`${process.version} ${process.arch}`)
  for (const [name, path] of files) hash.update(`${name} ${(await stat(path)).size}`)
  for (const [name, text] of modules) hash.update(`${name}\n${text}`)
  return { id: hash.digest('hex').slice(0, 16), files, modules, loader: askedName(loader), program }
}

/** Under which a library is asked for: maps have `libx.so.6.0.30`, programs want `libx.so.6`. */
function askedName(path: string): string {
  return basename(path).replace(/(\.so\.\d+)(\.\d+)+$/, '$1')
}

/** Paths of shared libraries in a process's memory map. */
export function mappedLibraries(maps: string): readonly string[] {
  const paths = [...maps.matchAll(/^\S+ r-xp .* (\/\S+)$/gm)].map(([, path]) => path ?? '')
  return [...new Set(paths.filter((path) => /\.so(\.\d+)*$/.test(path)))]
}

/** Puts the runtime on the node, whole or not at all; true when it was not there. */
export async function installRuntime(binDir: string, runtime: PluginRuntime): Promise<boolean> {
  const folder = join(binDir, RUNTIME_FOLDER)
  const target = join(folder, runtime.id)
  if (await exists(target)) return false
  const temporary = join(folder, `.${runtime.id}.${randomBytes(6).toString('hex')}`)
  await mkdir(temporary, { recursive: true })
  try {
    for (const [name, path] of runtime.files) {
      await copyFile(path, join(temporary, name))
      await chmod(join(temporary, name), 0o755)
    }
    for (const [name, text] of runtime.modules) await writeFile(join(temporary, name), text)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    // Another agent of a rolling update was first.
    if (!(await exists(target))) throw error
  }
  return true
}

/** Takes away all but this one, for when the executable names it. */
export async function removeOtherRuntimes(binDir: string, id: string | undefined): Promise<void> {
  const folder = join(binDir, RUNTIME_FOLDER)
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names) if (name !== id) await rm(join(folder, name), { recursive: true, force: true })
  if (id === undefined) await rm(folder, { recursive: true, force: true })
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
