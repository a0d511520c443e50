import { chmod, chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '@ambit/core'
import type { IssuedToken, IssueTokenOptions } from '../apiserver/contract.types.ts'
import { runCommand } from '../host/run-command.ts'
import type { ConfigMap, PersistentVolume, PersistentVolumeClaim, Secret } from '../objects/cluster.types.ts'
import type { Container, DownwardItem, KeyToPath, Pod, ProjectedSource, Volume } from '../objects/pod.types.ts'
import { parseQuantity } from '../objects/quantity.ts'
import { AtomicFiles, type FileContent } from './atomic-files.ts'
import { expand } from './expand.ts'
import { type PodFacts, resolveFieldRef, resolveResourceRef } from './field-ref.ts'
import { prepareHostPath } from './host-path.ts'
import type { Mount } from './mount-points.ts'
import { identityInside, pathInside } from './path-inside.ts'
import { VolumeError } from './volume-error.ts'

export interface VolumeSources {
  configMap(namespace: string, name: string): ConfigMap | undefined
  secret(namespace: string, name: string): Secret | undefined
  issueToken(options: IssueTokenOptions): Promise<IssuedToken>
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined
  volume(name: string): PersistentVolume | undefined
  readonly clock: Clock
  readonly nodeRoot: string
  /** Whether files can belong to somebody else than root. */
  readonly manyUsers: boolean
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
  /** Where volumes lie that aren't in the pod's own folder. */
  readonly #elsewhere = new Map<string, string>()
  /** Folders with a file system of their own. */
  readonly #sized = new Set<string>()

  constructor(folder: string, sources: VolumeSources) {
    this.#folder = folder
    this.#sources = sources
  }

  async sync(pod: Pod, facts: PodFacts): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) await this.#syncOne(pod, volume, facts)
  }

  /** The mounts of one container, parents before what is mounted inside them. */
  async mountsOf(pod: Pod, container: Container, env: Readonly<Record<string, string>>): Promise<Mount[]> {
    const mounts: Mount[] = []
    for (const mount of container.volumeMounts ?? []) {
      const volume = pod.spec.volumes?.find(({ name }) => name === mount.name)
      if (volume === undefined) throw new VolumeError(`volume mount "${mount.name}" names no volume of the pod`)
      const subPath = mount.subPathExpr ? expand(mount.subPathExpr, (name) => env[name]) : (mount.subPath ?? '')
      const fixed = (volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI) !== undefined
      const readOnly = mount.readOnly === true || fixed || volume.persistentVolumeClaim?.readOnly === true
      const { source, identity } = await this.#part(volume, subPath, fixed)
      mounts.push({ source, target: join('/', mount.mountPath), readOnly, fixed, identity })
    }
    return mounts.sort((a, b) => a.target.split('/').length - b.target.split('/').length)
  }

  /** Takes away what rm can't. */
  async close(): Promise<void> {
    for (const folder of this.#sized) await runCommand(['umount', '-l', folder]).catch(() => undefined)
    this.#sized.clear()
  }

  /** A volume, or a part of it that containers can't make a link to elsewhere. */
  async #part(
    volume: Volume,
    subPath: string,
    fixed: boolean,
  ): Promise<{ readonly source: string; readonly identity: string | undefined }> {
    const folder = this.#sourceOf(volume)
    if (subPath === '') return { source: folder, identity: undefined }
    const source = await pathInside(folder, subPath)
    const leadsOut = `subPath ${subPath} leads out of volume "${volume.name}"`
    if (source === undefined) throw new VolumeError(leadsOut)
    if (!fixed) await mkdir(source, { recursive: true }).catch(() => undefined)
    const identity = await identityInside(folder, source).catch(() => undefined)
    if (identity === undefined)
      throw new VolumeError(fixed ? `subPath ${subPath}: volume "${volume.name}" has no such file` : leadsOut)
    return { source, identity }
  }

  #sourceOf(volume: Volume): string {
    return this.#elsewhere.get(volume.name) ?? join(this.#folder, volume.name)
  }

  async #syncOne(pod: Pod, volume: Volume, facts: PodFacts): Promise<void> {
    const { nodeRoot } = this.#sources
    if (volume.hostPath) {
      this.#elsewhere.set(volume.name, await prepareHostPath(nodeRoot, volume.hostPath))
      return
    }
    const group = this.#sources.manyUsers ? pod.spec.securityContext?.fsGroup : undefined
    if (volume.persistentVolumeClaim) {
      const path = this.#claimed(pod.metadata.namespace ?? '', volume.persistentVolumeClaim.claimName)
      const folder = await prepareHostPath(nodeRoot, { path, type: 'DirectoryOrCreate' })
      this.#elsewhere.set(volume.name, folder)
      return await openToAll(folder, group)
    }
    const folder = this.#sourceOf(volume)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    if (volume.emptyDir !== undefined) {
      await this.#limitSize(volume.name, folder, volume.emptyDir.sizeLimit)
      return await openToAll(folder, group)
    }
    const files: Files = new Map()
    const fixed = volume.configMap ?? volume.secret ?? volume.projected ?? volume.downwardAPI
    if (!fixed) {
      const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown'
      throw new VolumeError(`volume "${volume.name}": the sandbox serves no volumes of type ${kind}`)
    }
    const mode = fixed.defaultMode ?? DEFAULT_MODE
    if (volume.configMap) this.#addConfigMap(files, pod, volume.configMap, mode)
    if (volume.secret) this.#addSecret(files, pod, { ...volume.secret, name: volume.secret.secretName ?? '' }, mode)
    if (volume.downwardAPI) this.#addDownward(files, pod, volume.downwardAPI.items ?? [], mode, facts)
    for (const source of volume.projected?.sources ?? [])
      await this.#addProjected(files, pod, volume.name, source, mode, facts)
    let writer = this.#written.get(volume.name)
    if (writer === undefined) this.#written.set(volume.name, (writer = new AtomicFiles(folder)))
    await writer.write(files, group)
  }

  /** What is written beyond the limit fails with ENOSPC; a folder without a limit shares the sandbox's memory. */
  async #limitSize(name: string, folder: string, limit: string | number | undefined): Promise<void> {
    if (limit === undefined || this.#sized.has(folder)) return
    const bytes = parseQuantity(limit)
    if (bytes === undefined || bytes < 0) throw new VolumeError(`volume "${name}": ${limit} is no size`)
    if (bytes === 0) return
    await runCommand(['mount', '-t', 'tmpfs', '-o', `mode=0777,size=${Math.ceil(bytes)}`, 'tmpfs', folder])
    this.#sized.add(folder)
  }

  /** The folder on the node of a claim's volume. */
  #claimed(namespace: string, name: string): string {
    const claim = this.#sources.claim(namespace, name)
    if (claim === undefined) throw new VolumeError(`persistentvolumeclaim "${name}" not found`)
    const volume = claim.status?.phase === 'Bound' ? this.#sources.volume(claim.spec.volumeName ?? '') : undefined
    if (volume === undefined) throw new VolumeError(`persistentvolumeclaim "${name}" is not bound to a volume yet`)
    const path = volume.spec.hostPath?.path ?? volume.spec.local?.path
    if (path === undefined)
      throw new VolumeError(`persistentvolume "${volume.metadata.name}": the sandbox serves hostPath and local volumes`)
    return path
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

/** Open to every user, as Kubernetes makes it; outside the pod a folder above is closed. mkdir heeds the umask. */
async function openToAll(folder: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(folder, 0, group)
  await chmod(folder, group === undefined ? 0o777 : 0o2777)
}
