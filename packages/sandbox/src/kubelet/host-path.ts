import { lstat, mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '@ambit/core'
import { pathInside } from './path-inside.ts'
import { VolumeError } from './volume-error.ts'

/** Checks or makes a path of the node's, as its type asks; resolves with where it is on this machine. */
export async function prepareHostPath(
  nodeRoot: string,
  hostPath: { readonly path: string; readonly type?: string },
): Promise<string> {
  const { path: wanted, type = '' } = hostPath
  const path = await pathInside(nodeRoot, wanted)
  if (path === undefined) throw new VolumeError(`hostPath ${wanted} leads out of the node`)
  const kind = await lstat(path).catch(() => undefined)
  const require = (ok: boolean | undefined, what: string): void => {
    if (ok !== true) throw new VolumeError(`hostPath type check failed: ${wanted} is not a ${what}`)
  }
  switch (type) {
    case '':
    case 'DirectoryOrCreate':
      if (kind === undefined) await mkdir(path, { recursive: true })
      else if (type !== '') require(kind.isDirectory(), 'directory')
      return path
    case 'FileOrCreate':
      if (kind === undefined) await makeFile(path)
      else require(kind.isFile(), 'file')
      return path
    case 'Directory':
      require(kind?.isDirectory(), 'directory')
      return path
    case 'File':
      require(kind?.isFile(), 'file')
      return path
    case 'Socket':
      require(kind?.isSocket(), 'socket')
      return path
    case 'CharDevice':
      require(kind?.isCharacterDevice(), 'character device')
      return path
    case 'BlockDevice':
      require(kind?.isBlockDevice(), 'block device')
      return path
    default:
      throw new VolumeError(`hostPath ${wanted}: there is no type ${type}`)
  }
}

async function makeFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  try {
    await writeFile(path, '', { flag: 'wx' })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}
