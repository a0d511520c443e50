import { shellQuote } from './shell.ts'

/** One line for `mount --all`: a table is mounted by one process, where single commands cost one each. */
export interface TableMount {
  readonly source: string
  readonly target: string
  /** Type of a file system; absent for a folder or file that is shown again, with what is mounted below it. */
  readonly type?: 'tmpfs' | 'proc' | 'overlay' | undefined
  readonly options?: readonly string[] | undefined
  readonly readOnly?: boolean | undefined
}

/** The text of an fstab(5) with these mounts, whose targets are paths below a new root. */
export function mountTable(mounts: readonly TableMount[], root: string): string {
  return mounts
    .map(({ source, target, type, options = [], readOnly }) => {
      const how = [...(type === undefined ? ['rbind'] : []), ...(readOnly === true ? ['ro'] : []), ...options]
      const words = [source, `${root}${target}`, type ?? 'none', how.join(',') || 'defaults']
      return `${words.map(escapeField).join(' ')} 0 0\n`
    })
    .join('')
}

/** Shell lines that mount a table; the working folder is the new root, which has a folder `etc`. */
export function mountTableLines(mounts: readonly TableMount[], root: string): string[] {
  if (mounts.length === 0) return []
  return [
    `printf %s ${shellQuote(mountTable(mounts, root))} > etc/fstab`,
    'mount --all --fstab etc/fstab',
    ': > etc/fstab',
  ]
}

function escapeField(text: string): string {
  return text.replaceAll(/[\s\\#]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
