import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../host/run-command.ts'
import { NAMESPACE_SYSCTLS } from '../net/topology.ts'
import type { Pod } from '../objects/pod.types.ts'
import type { CniChain, CniPod } from './cni.ts'
import type { LaunchTools } from './container-process.ts'
import { podHostname } from './etc-files.ts'
import { NODE_NETNS_FOLDER } from './node-root.ts'
import { createProcessSpace, type SharedProcessSpace } from './process-space.ts'

/** The namespaces that the containers of a pod share. */
export interface PodSandbox {
  readonly id: string
  readonly netns: string
  readonly uts: string
  readonly ipc: string
  readonly ips: readonly string[]
  /** For pods that share one process space. */
  readonly processes: SharedProcessSpace | undefined
}

export interface SandboxComponents {
  readonly cni: CniChain
  readonly tools: LaunchTools
  readonly nodeRoot: string
  readonly nodeNetns: string
  readonly nodeIps: readonly string[]
  readonly ipv6: boolean
}

/** Creates the shared namespaces and runs the CNI chain; on failure nothing is left. */
export async function createPodSandbox(components: SandboxComponents, pod: Pod, folder: string): Promise<PodSandbox> {
  const id = randomUUID().replaceAll('-', '')
  const hostNetwork = pod.spec.hostNetwork === true
  await mkdir(folder, { recursive: true })
  const paths = { uts: join(folder, `uts-${id}`), ipc: join(folder, `ipc-${id}`) }
  const netnsOnNode = `${NODE_NETNS_FOLDER}/cni-${randomUUID()}`
  const netns = hostNetwork ? components.nodeNetns : `${components.nodeRoot}${netnsOnNode}`
  const files = [paths.uts, paths.ipc, ...(hostNetwork ? [] : [netns])]
  const flags = [`--uts=${paths.uts}`, `--ipc=${paths.ipc}`, ...(hostNetwork ? [] : [`--net=${netns}`])]
  const setup = `hostname "$1"; ${hostNetwork ? ':' : `${NAMESPACE_SYSCTLS}\nw ipv4/ip_unprivileged_port_start 0\n${sysctlLines(pod)}`}`
  await Promise.all(files.map((file) => writeFile(file, '')))
  const sandbox = { id, netns, ...paths }
  const cniPod = cniPodOf(pod, sandbox, netnsOnNode)
  try {
    await runCommand(['unshare', ...flags, 'sh', '-c', setup, 'sh', podHostname(pod)])
    const processes = pod.spec.shareProcessNamespace === true ? await createProcessSpace(components.tools) : undefined
    if (hostNetwork) return { ...sandbox, processes, ips: components.nodeIps }
    const addresses = await components.cni.add(cniPod)
    return { ...sandbox, processes, ips: components.ipv6 ? [addresses.ip, addresses.ipV6] : [addresses.ip] }
  } catch (error) {
    if (!hostNetwork) await components.cni.remove(cniPod, () => undefined)
    await unmount(files)
    throw error
  }
}

export async function removePodSandbox(
  components: SandboxComponents,
  pod: Pod,
  sandbox: PodSandbox,
  onError: (error: unknown) => void,
): Promise<void> {
  const own = sandbox.netns !== components.nodeNetns
  await sandbox.processes?.close()
  const netnsOnNode = sandbox.netns.slice(components.nodeRoot.length)
  if (own) await components.cni.remove(cniPodOf(pod, sandbox, netnsOnNode), onError)
  await unmount([sandbox.uts, sandbox.ipc, ...(own ? [sandbox.netns] : [])]).catch(onError)
}

function cniPodOf(pod: Pod, sandbox: { id: string; netns: string }, netnsOnNode: string): CniPod {
  return {
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    uid: pod.metadata.uid ?? '',
    sandboxId: sandbox.id,
    netns: sandbox.netns,
    netnsOnNode,
  }
}

function sysctlLines(pod: Pod): string {
  const known = (pod.spec.securityContext?.sysctls ?? []).filter(({ name }) => /^net\.[a-z0-9_./-]+$/.test(name))
  return known
    .map(({ name, value }) => `w ${name.slice(4).replaceAll('.', '/')} '${value.replaceAll("'", '')}'`)
    .join('\n')
}

async function unmount(files: readonly string[]): Promise<void> {
  await runCommand(['umount', '-l', ...files]).catch(() => undefined)
  await Promise.all(files.map((file) => rm(file, { force: true })))
}
