import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const UNPACKED = join(import.meta.dirname, '../../.ambit/tools')

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
]

/** A browser with an empty profile. Without Chromium it fails and says what to type. */
export async function startBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: chromiumPath(process.env['PATH'] ?? ''), args: FLAGS })
}

/** Debian's start script knows only its place on the machine; where set-up unpacked it, the program itself is started. */
export function chromiumPath(path: string): string {
  const installed = path.split(delimiter).filter((folder) => folder !== '' && !folder.startsWith(UNPACKED))
  const candidates = [
    ...[...installed, '/usr/bin'].map((folder) => join(folder, 'chromium')),
    join(UNPACKED, 'usr/lib/chromium/chromium'),
  ]
  const found = candidates.find(isExecutable)
  if (found === undefined)
    throw new Error('Chromium is missing; type: npm run setup, or as root: apt-get install chromium')
  return found
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
