import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { AmbitError } from '@ambit/core'

export class ToolMissingError extends AmbitError {
  readonly code = 'SANDBOX_TOOL_MISSING'
}

export interface Tool {
  readonly path: string
  /** Variables the tool needs when it was unpacked rather than installed. */
  readonly env: Readonly<Record<string, string>>
}

const PACKAGE_OF: Readonly<Record<string, string>> = { nft: 'nftables', ip: 'iproute2' }
const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin']
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin']

/**
 * Finds a helper program: on the machine, or among the packages that set-up unpacked into the workspace's `.ambit/tools`
 * for people without root.
 */
export function findTool(name: string, workspace: string): Tool {
  const path = process.env['PATH'] ?? ''
  for (const folder of new Set([...path.split(delimiter), ...SYSTEM_FOLDERS])) {
    if (folder !== '' && isExecutable(join(folder, name))) return { path: join(folder, name), env: {} }
  }
  const unpacked = join(workspace, '.ambit', 'tools')
  for (const folder of PROGRAM_FOLDERS) {
    const candidate = join(unpacked, folder, name)
    if (isExecutable(candidate))
      return { path: candidate, env: { LD_LIBRARY_PATH: libraryFolders(unpacked).join(':') } }
  }
  const fromPackage = PACKAGE_OF[name] ?? 'util-linux'
  throw new ToolMissingError(
    `program '${name}' was not found. Run: npm run setup, or install it (Debian, Ubuntu: apt install ${fromPackage})`,
  )
}

/** Where unpacked programs and their libraries are; empty lists when nothing was unpacked. */
export function unpackedFolders(workspace: string): { readonly programs: string[]; readonly libraries: string[] } {
  const unpacked = join(workspace, '.ambit', 'tools')
  const programs = PROGRAM_FOLDERS.map((folder) => join(unpacked, folder)).filter((folder) => existsSync(folder))
  return { programs, libraries: programs.length === 0 ? [] : libraryFolders(unpacked) }
}

function libraryFolders(unpacked: string): string[] {
  const lib = join(unpacked, 'usr', 'lib')
  try {
    return [lib, ...readdirSync(lib).map((entry) => join(lib, entry))]
  } catch {
    return [lib]
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
