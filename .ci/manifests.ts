// `npm run manifests` writes deploy/manifests from the charts; with --check it says which of them are not what the charts give.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DEFAULT_KUBE_VERSION, manifestText, readSettings, renderMesh } from '@ambit/cli'

const deploy = join(import.meta.dirname, '..', 'deploy')
const target = join(deploy, 'manifests')
const files = { readFile: (path: string) => readFile(path, 'utf8'), listFolder: (path: string) => readdir(path) }
const NAMES: Readonly<Record<string, string>> = {
  base: '10-base',
  pilot: '20-istiod',
  cni: '30-cni',
  ztunnel: '40-ztunnel',
}
const HEADER =
  '# Made from deploy/charts by `npm run manifests`; change the charts. Same as `ambit manifest generate --set profile=ambient`'
const NAMESPACE = `${HEADER}\n# has no namespace, and so has Helm; kubectl needs it first.\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: istio-system\n`

/** The ambient profile as files, without the CRDs, which lie in deploy/crds. */
async function render(): Promise<ReadonlyMap<string, string>> {
  const settings = await readSettings({ files: [], set: ['profile=ambient'] }, deploy, files)
  const options = { folder: deploy, kubeVersion: DEFAULT_KUBE_VERSION, force: false }
  const components = await renderMesh(settings, options, files)
  const made = components.map(({ component, objects }) => {
    const kept = objects.filter(({ kind }) => kind !== 'CustomResourceDefinition')
    return [`${NAMES[component.key]}.yaml`, `${HEADER}.\n${manifestText(kept)}`] as const
  })
  return new Map([['00-namespace.yaml', NAMESPACE], ...made])
}

const wanted = await render()
const present: readonly string[] = await readdir(target).catch(() => [])
if (process.argv.includes('--check')) {
  const stale = [...wanted.keys(), ...present.filter((name) => !wanted.has(name))]
  const wrong: string[] = []
  for (const name of stale) {
    const text = present.includes(name) ? await readFile(join(target, name), 'utf8') : undefined
    if (text !== wanted.get(name)) wrong.push(name)
  }
  for (const name of wrong) console.error(`manifests: deploy/manifests/${name} is stale; npm run manifests`)
  if (wrong.length > 0) process.exit(1)
  console.log(`manifests: ${wanted.size} files are what the charts give`)
} else {
  await mkdir(target, { recursive: true })
  for (const name of present.filter((one) => !wanted.has(one))) await rm(join(target, name))
  for (const [name, text] of wanted) await writeFile(join(target, name), text)
  console.log(`manifests: ${wanted.size} files written`)
}
