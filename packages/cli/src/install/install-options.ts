import type { Context } from '../context.types.ts'
import type { FlagSpec, Flags } from '../grammar/command.types.ts'
import { type InstallSettings, readSettings } from './settings.ts'

/** Flags of everything that renders an installation. */
export const RENDER_FLAGS: readonly FlagSpec[] = [
  {
    name: 'filename',
    short: 'f',
    kind: 'list',
    placeholder: 'FILE',
    summary: 'IstioOperator files, the last wins; - is stdin',
  },
  {
    name: 'set',
    short: 's',
    kind: 'list',
    placeholder: 'PATH=VALUE',
    summary: 'profile=demo, components.cni.enabled=true, values.global.logAsJson=true, meshConfig.KEY, hub, tag',
  },
  {
    name: 'manifests',
    short: 'd',
    kind: 'text',
    placeholder: 'FOLDER',
    summary: 'folder with charts and profiles, instead of this program’s',
  },
  { name: 'revision', short: 'r', kind: 'text', placeholder: 'REV', summary: 'default; there is no other yet' },
  { name: 'force', kind: 'none', summary: 'install although a value is unknown' },
]

export function settingsOf(flags: Flags, context: Context): Promise<InstallSettings> {
  const inputs = {
    files: flags.list('filename'),
    set: flags.list('set'),
    revision: flags.text('revision'),
    namespace: flags.text('istioNamespace'),
  }
  return readSettings(inputs, folderOf(flags, context), context)
}

export function folderOf(flags: Flags, context: Context): string {
  return flags.text('manifests') ?? context.deployFolder
}
