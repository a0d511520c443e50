import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'

export interface PageFile {
  readonly contentType: string
  readonly body: Buffer
}

const FOLDER = join(import.meta.dirname, 'page')
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ts': 'text/javascript; charset=utf-8',
}

/** The page's files by name, types taken out. Read once: what a request names is looked up here, never on the disk. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(FOLDER)) {
    const contentType = CONTENT_TYPES[extname(name)]
    // Modules that hold only types are never loaded.
    if (contentType === undefined || name.endsWith('.types.ts')) continue
    const text = readFileSync(join(FOLDER, name), 'utf8')
    const body = Buffer.from(extname(name) === '.ts' ? withoutTypes(text) : text.replace(/^ +/gm, ''))
    files.set(name === 'index.html' ? '' : name, { contentType, body })
  }
  return files
}

/** Types become blanks, which are not worth sending, nor is indentation. No text of the page spans lines: a test looks. */
function withoutTypes(text: string): string {
  return stripTypeScriptTypes(text)
    .replace(/^ +| +$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/(?<=\S) {2,}/g, ' ')
}
