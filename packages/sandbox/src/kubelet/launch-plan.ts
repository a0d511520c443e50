import { join } from 'node:path'
import { COMPILE_CACHE_FOLDER, commandLine, type ImageProgram } from '../images/catalogue.ts'
import type { Container, Pod } from '../objects/pod.types.ts'
import type { NodeComponents } from './components.types.ts'
import { containerEnvironment } from './environment.ts'
import { expand } from './expand.ts'
import type { PodSandbox } from './pod-sandbox.ts'
import { type Mount, privilegeWords, rootfsScript } from './rootfs.ts'
import type { PodVolumes } from './volumes.ts'

export interface Launch {
  readonly env: Readonly<Record<string, string>>
  /** Makes the container's root and enters it. */
  readonly script: string
  readonly command: readonly string[]
}

/** What one start of a container runs, with which environment, in which root; throws when its configuration is not there yet. */
export async function planLaunch(
  what: {
    readonly container: Container
    readonly image: ImageProgram
    readonly pod: Pod
    readonly sandbox: PodSandbox
    readonly volumes: PodVolumes
  },
  components: NodeComponents,
): Promise<Launch> {
  const { container, image, pod, sandbox, volumes } = what
  const facts = { podIps: sandbox.ips, hostIp: components.node.ip }
  const env = containerEnvironment({ pod, container, facts, imageEnv: image.env }, components.environment)
  if (env['HOME'] === undefined) env['HOME'] = '/root'
  const lookup = (name: string): string | undefined => env[name]
  const command = commandLine(image, {
    command: container.command?.map((word) => expand(word, lookup)),
    args: container.args?.map((word) => expand(word, lookup)),
  })
  const script = rootfsScript({
    base: components.base,
    mountPoint: components.rootMountPoint,
    etcFolder: etcFolderOf(components, pod),
    mounts: [...cacheMounts(image, components.compileCache), ...(await volumes.mountsOf(pod, container, env))],
    workingDir: container.workingDir ?? '/',
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
    hostPid: pod.spec.hostPID === true,
    privileges: privilegeWords(pod, container, components.manyUsers),
  })
  return { env, script, command }
}

function cacheMounts(image: ImageProgram, source: string | undefined): readonly Mount[] {
  return source === undefined || !image.keepsCompiled ? [] : [{ source, target: COMPILE_CACHE_FOLDER, readOnly: true }]
}

/** Folder of the files that all containers of a pod share below /etc. */
export function etcFolderOf(components: { readonly podsFolder: string }, pod: Pod): string {
  return join(components.podsFolder, pod.metadata.uid ?? '', 'etc')
}
