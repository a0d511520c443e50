import { join } from 'node:path'
import type { BaseRoot } from '../host/base-root.ts'
import { COMPILE_CACHE_FOLDER, commandLine, type ImageProgram } from '../images/catalogue.ts'
import type { Container, Pod } from '../objects/pod.types.ts'
import type { NodeComponents } from './components.types.ts'
import { ContainerConfigError, containerEnvironment } from './environment.ts'
import { expand } from './expand.ts'
import { type Mount, planMountPoints } from './mount-points.ts'
import type { PodSandbox } from './pod-sandbox.ts'
import { privilegeWords, rootfsScript } from './rootfs.ts'
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
    /** Where the container may say why it ended. */
    readonly message: Mount
  },
  components: NodeComponents,
): Promise<Launch> {
  const { container, image, message, pod, sandbox, volumes } = what
  requireUser(pod, container)
  const facts = { podIps: sandbox.ips, hostIp: components.node.ip }
  const env = containerEnvironment({ pod, container, facts, imageEnv: image.env }, components.environment)
  if (env['HOME'] === undefined) env['HOME'] = '/root'
  const lookup = (name: string): string | undefined => env[name]
  const command = commandLine(image, {
    command: container.command?.map((word) => expand(word, lookup)),
    args: container.args?.map((word) => expand(word, lookup)),
  })
  const mounts = [
    { source: join(podFolderOf(components, pod), 'shm'), target: '/dev/shm', readOnly: false },
    ...cacheMounts(image, components.compileCache),
    ...image.mounts.map((mount) => ({ ...mount, readOnly: true })),
    ...(await volumes.mountsOf(pod, container, env)),
    message,
  ]
  const script = rootfsScript({
    base: components.base,
    mountPoint: components.rootMountPoint,
    etcFolder: etcFolderOf(components, pod),
    mounts: await planMountPoints({
      base: components.base,
      mounts: [...mounts, ...hiddenPrograms(components.base, mounts)],
      layers: join(podFolderOf(components, pod), 'layers', container.name),
    }),
    workingDir: container.workingDir ?? image.workingDir ?? '/',
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
    hostPid: pod.spec.hostPID === true,
    privileges: privilegeWords(pod, container, components.manyUsers),
  })
  return { env, script, command }
}

function cacheMounts(image: ImageProgram, source: string | undefined): readonly Mount[] {
  return source === undefined || !image.keepsCompiled ? [] : [{ source, target: COMPILE_CACHE_FOLDER, readOnly: true }]
}

/** Images here have no user of their own, so only who asks for root by number is refused. */
function requireUser(pod: Pod, container: Container): void {
  const { runAsNonRoot, runAsUser } = { ...pod.spec.securityContext, ...container.securityContext }
  if (runAsNonRoot === true && runAsUser === 0)
    throw new ContainerConfigError("container's runAsUser breaks non-root policy")
}

/** Programs of ours that a volume has covered, such as a workspace below /tmp: they go on top again. */
function hiddenPrograms({ folder, program }: BaseRoot, mounts: readonly Mount[]): Mount[] {
  return program
    .filter((path) => mounts.some(({ target }) => path.startsWith(`${target.replace(/\/$/, '')}/`)))
    .map((path) => ({ source: `${folder}/program${path}`, target: path, readOnly: true }))
}

/** Folder of all that a pod has on its node but logs. */
export function podFolderOf(components: { readonly podsFolder: string }, pod: Pod): string {
  return join(components.podsFolder, pod.metadata.uid ?? '')
}

/** Folder of the files that all containers of a pod share below /etc. */
export function etcFolderOf(components: { readonly podsFolder: string }, pod: Pod): string {
  return join(podFolderOf(components, pod), 'etc')
}
