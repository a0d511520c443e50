import { realpath, rename, rm, stat, writeFile } from 'node:fs/promises'

/** Writes a file as a whole or not at all: whoever reads it meanwhile finds the one before. */
export async function writeWholeFile(path: string, text: string): Promise<void> {
  const present = await stat(path).catch(() => undefined)
  // A pipe or a terminal has no content to keep.
  if (present !== undefined && !present.isFile()) return await writeFile(path, text)
  const target = present === undefined ? path : await realpath(path)
  const beside = `${target}.${process.pid}.tmp`
  try {
    await writeFile(beside, text, { flag: 'wx', ...(present === undefined ? {} : { mode: present.mode }) })
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}
