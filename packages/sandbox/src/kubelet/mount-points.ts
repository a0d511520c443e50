import { mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '@ambit/core'
import type { BaseRoot } from '../host/base-root.ts'
import type { TableMount } from '../host/mount-table.ts'
import { pathInside } from './path-inside.ts'
import { VolumeError } from './volume-error.ts'

export interface Mount {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  /** The kubelet writes what is in it: nothing can be mounted inside. */
  readonly fixed?: boolean
  /** The file that has to lie there once it is mounted, as `device:inode`. */
  readonly identity?: string | undefined
}

export interface MountPlan {
  /** Points to make in the new root before anything is mounted. */
  readonly folders: readonly string[]
  readonly files: readonly string[]
  readonly table: readonly TableMount[]
  /** What has to lie at some of the targets. */
  readonly expected: readonly { readonly target: string; readonly identity: string }[]
}

/**
 * Where the points come from that a container's mounts go to: the new root, a volume mounted around them, or what is
 * shown of the machine. That can't be written, so a layer with the missing points goes on top of it.
 */
export async function planMountPoints(o: {
  readonly base: BaseRoot
  /** Parents before what is mounted inside them. */
  readonly mounts: readonly Mount[]
  /** Empty folder for the layers. */
  readonly layers: string
}): Promise<MountPlan> {
  const folders: string[] = []
  const files: string[] = []
  const layered = new Set<TableMount>()
  for (const [index, mount] of o.mounts.entries()) {
    const isFile = (await stat(mount.source)).isFile()
    const around = o.mounts.slice(0, index).findLast(({ target }) => isBelow(mount.target, target))
    const shown = o.base.mounts.findLast(({ target }) => isBelow(mount.target, target))
    if (around !== undefined) await makePointInVolume(around, mount.target, isFile)
    else if (shown === undefined) (isFile ? files : folders).push(mount.target)
    else if (!(await exists(join(shown.source, mount.target.slice(shown.target.length))))) {
      const devices = shown.target === '/dev'
      if (!devices) layered.add(shown)
      await makePoint(devices ? `${o.base.folder}${mount.target}` : `${o.layers}${mount.target}`, isFile)
    }
  }
  const base = o.base.mounts.map((shown) => (layered.has(shown) ? withLayer(shown, o.layers) : shown))
  const own = o.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly }))
  const expected = o.mounts.flatMap(({ identity, target }) => (identity === undefined ? [] : [{ identity, target }]))
  return { folders, files, expected, table: [...base, { source: 'proc', target: '/proc', type: 'proc' }, ...own] }
}

function withLayer(shown: TableMount, layers: string): TableMount {
  const options = [`lowerdir=${layers}${shown.target}:${shown.source}`]
  return { source: 'overlay', target: shown.target, type: 'overlay', options, readOnly: true }
}

async function makePointInVolume(volume: Mount, target: string, isFile: boolean): Promise<void> {
  const point = await pathInside(volume.source, target.slice(volume.target.length))
  if (point === undefined) throw new VolumeError(`mount path ${target} leads out of the volume at ${volume.target}`)
  if (await exists(point)) return
  if (volume.fixed === true)
    throw new VolumeError(`nothing can be mounted at ${target}: the volume at ${volume.target} can't be written`)
  await makePoint(point, isFile)
}

async function makePoint(path: string, isFile: boolean): Promise<void> {
  if (!isFile) return void (await mkdir(path, { recursive: true }))
  await mkdir(dirname(path), { recursive: true })
  try {
    await writeFile(path, '', { flag: 'wx' })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === '/' ? '/' : `${folder.replace(/\/+$/, '')}/`)
}
