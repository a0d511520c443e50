import { join } from 'node:path'
import type { ChartFiles } from '@ambit/chart'
import type { Context } from '../context.types.ts'
import { MAX_CHART_DEPTH } from '../limits.ts'

/** A chart's files through the context. Links are followed: charts share files that way. */
export function chartFiles({ readFile, listFolder }: Pick<Context, 'readFile' | 'listFolder'>): ChartFiles {
  const below = async (folder: string, path: string, depth: number): Promise<readonly string[]> => {
    const names = await listFolder(join(folder, path)).catch((error: unknown) => {
      if (isNoFolder(error)) return undefined
      throw error
    })
    if (names === undefined) return path === '' ? [] : [path]
    if (depth > MAX_CHART_DEPTH) return []
    const deeper = names.map((name) => below(folder, path === '' ? name : `${path}/${name}`, depth + 1))
    return (await Promise.all(deeper)).flat()
  }
  return { readFile, listFiles: (folder) => below(folder, '', 0) }
}

function isNoFolder(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'ENOENT')
}
