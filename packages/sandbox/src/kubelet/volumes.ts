import { chmod, lstat, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AmbitError, type Clock } from '@ambit/core'
import type { IssuedToken, IssueTokenOptions } from '../apiserver/contract.types.ts'
import type { ConfigMap, Secret } from '../objects/cluster.types.ts'
import type { Container, DownwardItem, KeyToPath, Pod, ProjectedSource, Volume } from '../objects/pod.types.ts'
import { AtomicFiles, type FileContent } from './atomic-files.ts'
import { expand } from './expand.ts'
import { type PodFacts, resolveFieldRef, resolveResourceRef } from './field-ref.ts'
import { pathOnNode } from './node-root.ts'
import type { Mount } from './rootfs.ts'

/** A volume can't be provided (yet); retried, and told as a FailedMount event. */
export class VolumeError extends AmbitError {
  readonly code = 'SANDBOX_VOLUME'
}

export interface VolumeSources {
  configMap(namespace: string, name: string): ConfigMap | undefined
  secret(namespace: string, name: string): Secret | undefined
  issueToken(options: IssueTokenOptions): Promise<IssuedToken>
  readonly clock: Clock
  readonly nodeRoot: string
  readonly node: { readonly cpus: number; readonly memoryBytes: number }
}

interface HeldToken extends IssuedToken {
  readonly refreshAtMs: number
}

const DEFAULT_MODE = 0o644
const TOKEN_LIFETIME_S = 3600
/** A token is renewed when this share of its life is over (kubelet). */
const TOKEN_REFRESH_SHARE = 0.8

type Files = Map<string, FileContent>

/** The volumes of one pod. `sync` creates them at first and renews their content later. */
export class PodVolumes {
  readonly #folder: string
  readonly #sources: VolumeSources
  readonly #written = new Map<string, AtomicFiles>()
  readonly #tokens = new Map<string, HeldToken>()

  constructor(folder: string, sources: VolumeSources) {
    this.#folder = folder
    this.#sources = sources
  }

  async sync(pod: Pod, facts: PodFacts): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) await this.#syncOne(pod, volume, facts)
  }

  /** The mounts of one container. */
  async mountsOf(pod: Pod, container: Container, env: Readonly<Record<string, string>>): Promise<Mount[]> {
    const mounts: Mount[] = []
    for (const mount of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find(({ name }) => name === mount.name)
      if (volume === undefined) throw new VolumeError(`volume mount "${mount.name}" names no volume of the pod`)
      const subPath = mount.subPathExpr ? expand(mount.subPathExpr, (name) => env[name]) : (mount.subPath ?? '')
      const source = join(this.#sourceOf(volume), join('/', subPath))
      if (subPath !== '' && volume.emptyDir !== undefined) await mkdir(source, { recursive: true })
      const fixed = volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI
      mounts.push({ source, target: mount.mountPath, readOnly: mount.readOnly === true || fixed !== undefined })
    }
    // Parents before what is mounted inside them.
    return mounts.sort((a, b) => a.target.split('/').length - b.target.split('/').length)
  }

  #sourceOf(volume: Volume): string {
    if (volume.hostPath) return pathOnNode(this.#sources.nodeRoot, volume.hostPath.path)
    return join(this.#folder, volume.name)
  }

  async #syncOne(pod: Pod, volume: Volume, facts: PodFacts): Promise<void> {
    if (volume.hostPath) return await prepareHostPath(this.#sourceOf(volume), volume.hostPath)
    const folder = this.#sourceOf(volume)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    // Open to every user, as Kubernetes makes it; outside the pod a folder above is closed. mkdir heeds the umask.
    if (volume.emptyDir !== undefined) return await chmod(folder, 0o777)
    const files: Files = new Map()
    const fixed = volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI
    if (!fixed) throw new VolumeError(`volume "${volume.name}": this kind of volume isn't served by the sandbox`)
    const mode = fixed.defaultMode ?? DEFAULT_MODE
    if (volume.configMap) this.#addConfigMap(files, pod, volume.configMap, mode)
    if (volume.secret) this.#addSecret(files, pod, { ...volume.secret, name: volume.secret.secretName ?? '' }, mode)
    if (volume.downwardAPI) this.#addDownward(files, pod, volume.downwardAPI.items ?? [], mode, facts)
    for (const source of volume.projected?.sources ?? [])
      await this.#addProjected(files, pod, volume.name, source, mode, facts)
    let writer = this.#written.get(volume.name)
    if (writer === undefined) this.#written.set(volume.name, (writer = new AtomicFiles(folder)))
    await writer.write(files)
  }

  async #addProjected(
    files: Files,
    pod: Pod,
    volume: string,
    source: ProjectedSource,
    mode: number,
    facts: PodFacts,
  ): Promise<void> {
    if (source.configMap) this.#addConfigMap(files, pod, source.configMap, mode)
    if (source.secret) this.#addSecret(files, pod, source.secret, mode)
    if (source.downwardAPI) this.#addDownward(files, pod, source.downwardAPI.items ?? [], mode, facts)
    if (source.serviceAccountToken) {
      const { token } = await this.#token(
        pod,
        `${volume}/${source.serviceAccountToken.path}`,
        source.serviceAccountToken,
      )
      files.set(source.serviceAccountToken.path, { bytes: Buffer.from(token), mode })
    }
  }

  async #token(
    pod: Pod,
    key: string,
    wanted: { readonly audience?: string | undefined; readonly expirationSeconds?: number | undefined },
  ): Promise<HeldToken> {
    const held = this.#tokens.get(key)
    const now = this.#sources.clock.now()
    if (held !== undefined && now < held.refreshAtMs) return held
    const expirationSeconds = wanted.expirationSeconds ?? TOKEN_LIFETIME_S
    const issued = await this.#sources.issueToken({
      namespace: pod.metadata.namespace ?? 'default',
      serviceAccount: pod.spec.serviceAccountName ?? 'default',
      audiences: wanted.audience ? [wanted.audience] : undefined,
      expirationSeconds,
      pod: { name: pod.metadata.name ?? '', uid: pod.metadata.uid ?? '' },
    })
    const lifetimeMs = Date.parse(issued.expirationTimestamp) - now
    const renewed = { ...issued, refreshAtMs: now + lifetimeMs * TOKEN_REFRESH_SHARE }
    this.#tokens.set(key, renewed)
    return renewed
  }

  #addConfigMap(
    files: Files,
    pod: Pod,
    ref: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
    mode: number,
  ): void {
    const object = this.#sources.configMap(pod.metadata.namespace ?? '', ref.name ?? '')
    const data = new Map<string, Uint8Array>()
    for (const [key, value] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(value))
    for (const [key, value] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'))
    addKeys(files, `configmap "${ref.name}"`, object === undefined ? undefined : data, ref, mode)
  }

  #addSecret(
    files: Files,
    pod: Pod,
    ref: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
    mode: number,
  ): void {
    const object = this.#sources.secret(pod.metadata.namespace ?? '', ref.name ?? '')
    const entries = Object.entries(object?.data ?? {}).map(
      ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
    )
    addKeys(files, `secret "${ref.name}"`, object === undefined ? undefined : new Map(entries), ref, mode)
  }

  #addDownward(files: Files, pod: Pod, items: readonly DownwardItem[], mode: number, facts: PodFacts): void {
    for (const item of items) {
      const resource = item.resourceFieldRef
      const of = pod.spec.containers.find(({ name }) => name === resource?.containerName) ?? pod.spec.containers[0]
      const value = item.fieldRef
        ? resolveFieldRef(pod, item.fieldRef.fieldPath, facts)
        : resource && of && resolveResourceRef(resource, of, this.#sources.node)
      if (value === undefined) throw new VolumeError(`downward API item ${item.path} isn't served`)
      files.set(item.path, { bytes: Buffer.from(value), mode: item.mode ?? mode })
    }
  }
}

function addKeys(
  files: Files,
  what: string,
  data: ReadonlyMap<string, Uint8Array> | undefined,
  ref: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean },
  mode: number,
): void {
  if (data === undefined) {
    if (ref.optional === true) return
    throw new VolumeError(`${what} not found`)
  }
  if (ref.items === undefined) {
    for (const [key, bytes] of data) files.set(key, { bytes, mode })
    return
  }
  for (const item of ref.items) {
    const bytes = data.get(item.key)
    if (bytes !== undefined) files.set(item.path, { bytes, mode: item.mode ?? mode })
    else if (ref.optional !== true) throw new VolumeError(`${what} has no key ${item.key}`)
  }
}

async function prepareHostPath(
  path: string,
  hostPath: { readonly path: string; readonly type?: string },
): Promise<void> {
  const kind = await lstat(path).catch(() => undefined)
  switch (hostPath.type ?? '') {
    case '':
    case 'DirectoryOrCreate':
      if (kind === undefined) await mkdir(path, { recursive: true })
      return
    case 'FileOrCreate':
      if (kind !== undefined) return
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, '')
      return
    case 'Directory':
      if (kind?.isDirectory() !== true) throw new VolumeError(`hostPath ${hostPath.path} is no directory on this node`)
      return
    case 'File':
      if (kind?.isFile() !== true) throw new VolumeError(`hostPath ${hostPath.path} is no file on this node`)
      return
    case 'Socket':
      if (kind?.isSocket() !== true) throw new VolumeError(`hostPath ${hostPath.path} is no socket on this node`)
      return
    default:
      throw new VolumeError(`hostPath ${hostPath.path}: type ${hostPath.type} isn't served by the sandbox`)
  }
}
