import { toPlain } from '@ambit/chart'
import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import type { Flags } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { folderOf, settingsOf } from './install-options.ts'
import { manifestText } from './manifest-text.ts'
import { DEFAULT_KUBE_VERSION, type RenderedComponent, renderMesh } from './render-mesh.ts'

/** `ambit manifest generate`: the objects as YAML, without asking a cluster unless --cluster-specific. */
export async function runManifestGenerate(flags: Flags, context: Context): Promise<ExitCode> {
  const components = await rendered(flags, context)
  const text = manifestText(components.flatMap(({ objects }) => objects))
  const path = flags.text('output')
  if (path === undefined) context.out(text.trimEnd())
  else await context.writeFile(path, text)
  return EXIT.ok
}

/** `ambit manifest translate`: the values and the command with which Helm installs the same. */
export async function runManifestTranslate(flags: Flags, context: Context): Promise<ExitCode> {
  const components = await rendered(flags, context)
  const folder = folderOf(flags, context)
  const parts = components.flatMap(({ component, requests }) =>
    requests.map(({ request, values }) => {
      const name = component.chart === 'gateway' ? request.name : component.chart
      const command = `helm upgrade --install ${name} ${folder}/charts/${component.chart} --namespace ${request.namespace} --create-namespace -f ${name}-values.yaml`
      return `# ${name}-values.yaml\n# ${command}\n${stringify(toPlain(values), { version: '1.1', lineWidth: 0 })}`
    }),
  )
  const text = parts.join('---\n')
  const path = flags.text('output')
  if (path === undefined) context.out(text.trimEnd())
  else await context.writeFile(path, text)
  return EXIT.ok
}

async function rendered(flags: Flags, context: Context): Promise<readonly RenderedComponent[]> {
  const settings = await settingsOf(flags, context)
  for (const note of settings.notes) context.err(note)
  const kubeVersion = flags.has('cluster-specific')
    ? await (await context.cluster(flags)).serverVersion()
    : DEFAULT_KUBE_VERSION
  const target = { folder: folderOf(flags, context), kubeVersion: kubeVersion ?? '', force: flags.has('force') }
  return await renderMesh(settings, target, context)
}
