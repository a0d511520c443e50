import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Backoff, messageOf } from '@ambit/core'
import { hasStatus } from '../apiserver/status-error.ts'
import { LIMITS } from '../limits.ts'
import { GVR } from '../objects/gvr.ts'
import type { Container, Pod, PodStatus } from '../objects/pod.types.ts'
import type { NodeComponents } from './components.types.ts'
import { ContainerRunner, type PodContext } from './container-runner.ts'
import { writeEtcFiles } from './etc-files.ts'
import { etcFolderOf, podFolderOf } from './launch-plan.ts'
import { createPodSandbox, type PodSandbox, removePodSandbox } from './pod-sandbox.ts'
import { finishedPhase, podStatus } from './pod-status.ts'
import type { ProcessSpace } from './process-space.ts'
import { PodVolumes } from './volumes.ts'

const DEFAULT_GRACE_S = 30

const DEADLINE_EXCEEDED = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
} as const

/** One pod on its node, from its first sight to its removal. */
export class PodWorker {
  readonly #components: NodeComponents
  readonly #volumes: PodVolumes
  readonly #init: readonly ContainerRunner[]
  readonly #main: readonly ContainerRunner[]
  /** Added while the pod runs, by `kubectl debug`. */
  readonly #ephemeral: ContainerRunner[] = []
  readonly #stop = new AbortController()
  readonly #mainEnded = new AbortController()
  readonly #startTime: string
  readonly #work: Promise<void>
  #pod: Pod
  #sandbox: PodSandbox | undefined
  #wake = Promise.withResolvers<void>()
  #initialized = false
  #finished: 'Succeeded' | 'Failed' | undefined
  #ended: typeof DEADLINE_EXCEEDED | undefined
  #termination: Promise<void> | undefined
  #publishing: Promise<void> | undefined
  #publishAgain = false

  constructor(components: NodeComponents, pod: Pod) {
    this.#components = components
    this.#pod = pod
    this.#startTime = this.#now()
    this.#volumes = new PodVolumes(join(components.podsFolder, pod.metadata.uid ?? '', 'volumes'), components.volumes)
    this.#init = (pod.spec.initContainers ?? []).map(
      (container) => new ContainerRunner(components, pod, container, 'init'),
    )
    this.#main = pod.spec.containers.map((container) => new ContainerRunner(components, pod, container, 'main'))
    this.#initialized = this.#init.length === 0
    this.#work = this.#run().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) components.logger.error(`pod ${this.name} failed`, { error: messageOf(error) })
    })
  }

  get name(): string {
    return `${this.#pod.metadata.namespace}/${this.#pod.metadata.name}`
  }

  get sandbox(): PodSandbox | undefined {
    return this.#sandbox
  }

  get pod(): Pod {
    return this.#pod
  }

  /** The container of that name; the first one without a name. */
  container(name: string | undefined): ContainerRunner | undefined {
    const all = this.#runners()
    return name === undefined ? all[0] : all.find((runner) => runner.name === name)
  }

  /** Takes over a newer version of the pod. */
  update(pod: Pod): void {
    const before = this.#pod.metadata
    this.#pod = pod
    const { annotations, labels } = pod.metadata
    // Volumes may show them.
    if (!sameMap(before.labels, labels) || !sameMap(before.annotations, annotations)) void this.refreshVolumes()
    if (this.#sandbox !== undefined) this.#startEphemeral(this.#sandbox)
    if (pod.metadata.deletionTimestamp !== undefined) {
      const grace = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S
      void this.terminate(grace * 1000, true)
    }
  }

  /** Renews volumes whose sources may have changed. */
  async refreshVolumes(): Promise<void> {
    this.#wake.resolve()
    if (this.#sandbox === undefined || this.#finished !== undefined || this.#stop.signal.aborted) return
    try {
      await this.#volumes.sync(this.#pod, { podIps: this.#sandbox.ips, hostIp: this.#components.node.ip })
    } catch (error) {
      this.#event('Warning', 'FailedMount', messageOf(error))
    }
  }

  /** Ends the pod; with `removeObject` the API object goes when nothing of the pod is left. */
  terminate(graceMs: number, removeObject: boolean): Promise<void> {
    // Whoever asks again has less patience, if anything.
    if (this.#termination !== undefined) this.#hasten(graceMs)
    this.#termination ??= this.#terminate(graceMs, removeObject).catch((error: unknown) => {
      this.#components.logger.error(`pod ${this.name} could not be ended cleanly`, { error: messageOf(error) })
    })
    return this.#termination
  }

  #context(sandbox: PodSandbox): PodContext {
    const pod = (): Pod => this.#pod
    return {
      get pod() {
        return pod()
      },
      sandbox,
      volumes: this.#volumes,
      onChange: () => this.#publish(),
      spaceOf: (container) => this.#spaceOf(container, sandbox),
    }
  }

  #spaceOf(container: Container, { processes }: PodSandbox): ProcessSpace {
    if (this.#pod.spec.hostPID === true) return { kind: 'node' }
    if (processes !== undefined) return { kind: 'shared', pid: processes.pid }
    const target = container.targetContainerName
    const pid = target ? this.container(target)?.pid : undefined
    return pid === undefined ? { kind: 'own' } : { kind: 'shared', pid }
  }

  #runners(): readonly ContainerRunner[] {
    return [...this.#main, ...this.#init, ...this.#ephemeral]
  }

  /** Those that were added to the pod since; they run once. */
  #startEphemeral(sandbox: PodSandbox): void {
    const { signal } = this.#stop
    if (signal.aborted || this.#finished !== undefined) return
    for (const container of this.#pod.spec.ephemeralContainers ?? []) {
      if (this.#ephemeral.some(({ name }) => name === container.name)) continue
      // It ran before the sandbox was started again.
      const before = this.#pod.status?.ephemeralContainerStatuses?.find(({ name }) => name === container.name)
      if (before?.containerID !== undefined) continue
      const runner = new ContainerRunner(this.#components, this.#pod, container, 'ephemeral')
      this.#ephemeral.push(runner)
      void runner.run(this.#context(sandbox), 'Never', signal).catch((error: unknown) => {
        if (!signal.aborted) this.#event('Warning', 'Failed', messageOf(error))
      })
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    this.#publish()
    using _deadline = this.#startDeadline()
    const sandbox = await this.#setUp(signal)
    this.#publish()
    this.#startEphemeral(sandbox)
    const context = this.#context(sandbox)
    const policy = this.#pod.spec.restartPolicy
    for (const runner of this.#init) {
      if (runner.isSidecar) {
        const untilTheEnd = AbortSignal.any([signal, this.#mainEnded.signal])
        void runner.run(context, 'Always', untilTheEnd).catch(() => undefined)
        await Promise.race([runner.startedUp, abortOf(signal)])
      } else if ((await runner.run(context, policy === 'Always' ? 'OnFailure' : policy, signal)) !== 0) {
        signal.throwIfAborted()
        return await this.#finish('Failed', sandbox)
      }
      signal.throwIfAborted()
    }
    this.#initialized = true
    this.#publish()
    const codes = await Promise.all(this.#main.map((runner) => runner.run(context, policy, signal)))
    if (signal.aborted) return
    await this.#finish(finishedPhase(codes), sandbox)
  }

  /** Nothing of the pod runs again: what is beside its main containers ends, and its network goes. */
  async #finish(phase: 'Succeeded' | 'Failed', sandbox: PodSandbox): Promise<void> {
    this.#mainEnded.abort()
    await this.#stopBeside(this.#context(sandbox), this.#graceMs())
    this.#finished = phase
    this.#sandbox = undefined
    await removePodSandbox(this.#components.sandbox, this.#pod, sandbox, () => undefined)
    this.#publish()
  }

  #startDeadline(): Disposable {
    const seconds = this.#pod.spec.activeDeadlineSeconds
    if (seconds === undefined || seconds === null) return { [Symbol.dispose]: () => undefined }
    const { clock } = this.#components
    const leftMs = Date.parse(this.#pod.status?.startTime ?? this.#startTime) + seconds * 1000 - clock.now()
    return clock.after(Math.max(0, leftMs), () => void this.#exceedDeadline())
  }

  async #exceedDeadline(): Promise<void> {
    if (this.#termination !== undefined || this.#finished !== undefined) return
    this.#event('Normal', DEADLINE_EXCEEDED.reason, DEADLINE_EXCEEDED.message)
    this.#ended = DEADLINE_EXCEEDED
    this.#stop.abort(new Error(DEADLINE_EXCEEDED.message))
    const sandbox = this.#sandbox
    if (sandbox !== undefined) {
      const graceMs = this.#graceMs()
      await Promise.all(this.#main.map((runner) => runner.stop(this.#context(sandbox), graceMs)))
      await this.#finish('Failed', sandbox)
    }
    this.#finished = 'Failed'
    this.#publish()
  }

  #graceMs(): number {
    return (this.#pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S) * 1000
  }

  /** Volumes and network, retried until they can be had. */
  async #setUp(signal: AbortSignal): Promise<PodSandbox> {
    const backoff = new Backoff({ initialMs: LIMITS.setupBackoffInitialMs, maxMs: LIMITS.setupBackoffMaxMs })
    const { clock, node } = this.#components
    const folder = podFolderOf(this.#components, this.#pod)
    for (;;) {
      signal.throwIfAborted()
      let reason = 'FailedMount'
      try {
        await this.#volumes.sync(this.#pod, { podIps: [], hostIp: node.ip })
        reason = 'FailedCreatePodSandBox'
        await makeSharedMemory(join(folder, 'shm'))
        this.#sandbox ??= await createPodSandbox(this.#components.sandbox, this.#pod, folder)
        await writeEtcFiles(etcFolderOf(this.#components, this.#pod), this.#pod, this.#sandbox.ips)
        return this.#sandbox
      } catch (error) {
        if (signal.aborted) throw error
        const prefix = reason === 'FailedMount' ? 'MountVolume.SetUp failed: ' : 'Failed to create pod sandbox: '
        this.#event('Warning', reason, `${prefix}${messageOf(error)}`)
        this.#components.logger.warn(`pod ${this.name} can't be set up yet`, { reason, error: messageOf(error) })
        // A source that appears meanwhile ends the wait.
        this.#wake = Promise.withResolvers<void>()
        await Promise.race([clock.sleep(backoff.next(), signal), this.#wake.promise])
      }
    }
  }

  /** What is beside the main containers ends after them: sidecars in reverse order, in what is left of the grace. */
  async #stopBeside(context: PodContext, graceMs: number): Promise<void> {
    const { clock } = this.#components
    const deadline = clock.monotonic() + graceMs
    const debugging = Promise.all(this.#ephemeral.map((runner) => runner.stop(context, graceMs)))
    for (const runner of this.#init.toReversed()) await runner.stop(context, Math.max(0, deadline - clock.monotonic()))
    await debugging
  }

  #hasten(graceMs: number): void {
    const { clock } = this.#components
    clock.after(graceMs, () => {
      for (const runner of this.#runners()) runner.kill()
    })
  }

  async #terminate(graceMs: number, removeObject: boolean): Promise<void> {
    this.#stop.abort(new Error('the pod is being deleted'))
    const sandbox = this.#sandbox
    if (sandbox !== undefined) {
      const { clock } = this.#components
      const deadline = clock.monotonic() + graceMs
      const context = this.#context(sandbox)
      await Promise.all(this.#main.map((runner) => runner.stop(context, graceMs)))
      await this.#stopBeside(context, Math.max(0, deadline - clock.monotonic()))
    }
    await this.#work
    // Set-up may have finished while the stop was on its way.
    const left = this.#sandbox
    if (left !== undefined) {
      const context = this.#context(left)
      await Promise.all(this.#runners().map((runner) => runner.stop(context, 0)))
      this.#sandbox = undefined
      await removePodSandbox(this.#components.sandbox, this.#pod, left, (error) => {
        this.#components.logger.warn(`network of pod ${this.name} was not taken down cleanly`, {
          error: messageOf(error),
        })
      })
    }
    for (const runner of this.#runners()) runner.close()
    if (removeObject) await this.#removeObject()
    await this.#volumes.close()
    await rm(podFolderOf(this.#components, this.#pod), { recursive: true, force: true })
  }

  async #removeObject(): Promise<void> {
    this.#publish()
    await this.#publishing
    const { name = '', namespace, uid } = this.#pod.metadata
    try {
      await this.#components.client.delete(GVR.pods, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
    } catch (error) {
      if (!hasStatus(error, 404) && !hasStatus(error, 409)) throw error
    }
  }

  /** Writes the status, one write at a time, the newest state last. */
  #publish(): void {
    if (this.#publishing !== undefined) {
      this.#publishAgain = true
      return
    }
    this.#publishing = this.#writeStatus().finally(() => {
      this.#publishing = undefined
      if (!this.#publishAgain) return
      this.#publishAgain = false
      this.#publish()
    })
  }

  async #writeStatus(): Promise<void> {
    // One turn of the loop gathers what changes together.
    await new Promise((resolve) => setImmediate(resolve))
    const { name = '', namespace, uid } = this.#pod.metadata
    try {
      const status = this.#status()
      if (sameStatus(this.#pod.status, status)) return
      const updated = await this.#components.client.patch(
        GVR.pods,
        namespace,
        name,
        { metadata: { uid }, status },
        { subresource: 'status' },
      )
      // The watch brings the same version later; conditions must build on it already now.
      if (updated.metadata.uid === uid) this.#pod = { ...this.#pod, status: (updated as Pod).status }
    } catch (error) {
      if (hasStatus(error, 404) || hasStatus(error, 409)) return
      this.#components.logger.warn(`status of pod ${this.name} not written`, { error: messageOf(error) })
    }
  }

  #status(): PodStatus {
    return podStatus({
      pod: this.#pod,
      init: this.#init.map((runner) => runner.status()),
      main: this.#main.map((runner) => runner.status()),
      ephemeral: this.#ephemeral.map((runner) => runner.status()),
      initialized: this.#initialized,
      sandboxReady: this.#sandbox !== undefined,
      ips: this.#sandbox?.ips ?? this.#pod.status?.podIPs?.map(({ ip }) => ip) ?? [],
      hostIp: this.#components.node.ip,
      startTime: this.#pod.status?.startTime ?? this.#startTime,
      nowIso: this.#now(),
      finished: this.#finished,
      ended: this.#ended,
    })
  }

  #event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#components.events.event(this.#pod, {
      type,
      reason,
      message,
      component: 'kubelet',
      host: this.#components.node.name,
    })
  }

  #now(): string {
    return new Date(this.#components.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}

/** /dev/shm of all containers of a pod; nobody else's. */
async function makeSharedMemory(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o1777)
}

function sameStatus(a: PodStatus | undefined, b: PodStatus): boolean {
  return a !== undefined && JSON.stringify(sorted(a)) === JSON.stringify(sorted(b))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}

function sameMap(
  a: Readonly<Record<string, string>> | undefined,
  b: Readonly<Record<string, string>> | undefined,
): boolean {
  return JSON.stringify(sorted(a ?? {})) === JSON.stringify(sorted(b ?? {}))
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
