import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { AmbitError, messageOf } from '@ambit/core'
import type { ExecSession } from '../apiserver/contract.types.ts'
import { commandLine, type ImageProgram } from '../images/catalogue.ts'
import { type PullFailure, pullImage } from '../images/pull.ts'
import { LIMITS } from '../limits.ts'
import type { Container, ContainerState, ContainerStatus, LifecycleHandler, Pod, Probe } from '../objects/pod.types.ts'
import { Attachments } from './attachments.ts'
import type { NodeComponents } from './components.types.ts'
import { ContainerLog } from './container-log.ts'
import { startProbes } from './container-probes.ts'
import { type ContainerProcess, type ExitStatus, startContainerProcess } from './container-process.ts'
import { CrashBackoff, goDuration } from './crash-backoff.ts'
import { ContainerConfigError } from './environment.ts'
import { startExec } from './exec-session.ts'
import { planLaunch, podFolderOf } from './launch-plan.ts'
import { runHook } from './lifecycle-hook.ts'
import type { PodSandbox } from './pod-sandbox.ts'
import { restarts } from './pod-status.ts'
import { type ProbeTarget, runProbe } from './probe.ts'
import type { ProcessSpace } from './process-space.ts'
import { privilegeWords } from './rootfs.ts'
import { DEFAULT_MESSAGE_PATH, prepareMessageFile, terminationMessage } from './termination-message.ts'
import { VolumeError } from './volume-error.ts'
import type { PodVolumes } from './volumes.ts'

/** A container isn't running, so nothing can be run in it. */
export class NotRunningError extends AmbitError {
  readonly code = 'SANDBOX_NOT_RUNNING'
}

/** Exit code of a container that could not be started (containerd). */
const START_ERROR = 128
const DEFAULT_GRACE_S = 30
/** Exit code of a container that went with its node (Kubernetes). */
const LOST = 255
/** A container that waits for a config map or secret looks again this often. */
const CONFIG_RETRY_MS = 1000
/** A program gets this long after its preStop hook, however long that took (Kubernetes). */
const MIN_GRACE_AFTER_HOOK_MS = 2000

export type ContainerKind = 'init' | 'main' | 'ephemeral'

const FIELD: Readonly<Record<ContainerKind, string>> = {
  init: 'spec.initContainers',
  main: 'spec.containers',
  ephemeral: 'spec.ephemeralContainers',
}

export interface PodContext {
  /** The newest version of the pod. */
  readonly pod: Pod
  readonly sandbox: PodSandbox
  readonly volumes: PodVolumes
  readonly onChange: () => void
  /** Whose processes a container sees. */
  spaceOf(container: Container): ProcessSpace
}

/** One container of a pod through all its restarts. */
export class ContainerRunner {
  readonly #components: NodeComponents
  readonly #container: Container
  readonly #kind: ContainerKind
  readonly #pod: Pod
  readonly #attachments = new Attachments()
  #state: ContainerState = { waiting: { reason: 'PodInitializing' } }
  #lastState: ContainerState = {}
  /** How the run before ended. */
  #ended: ContainerState = {}
  #ready = false
  #started = false
  #restarts = 0
  #image: ImageProgram | undefined
  #id = ''
  #startedAt = ''
  #log: ContainerLog | undefined
  #previousLog: ContainerLog | undefined
  #process: ContainerProcess | undefined
  #env: Readonly<Record<string, string>> = {}
  #onStarted = Promise.withResolvers<void>()
  #notify: () => void = () => undefined

  constructor(components: NodeComponents, pod: Pod, container: Container, kind: ContainerKind) {
    this.#components = components
    this.#pod = pod
    this.#container = container
    this.#kind = kind
    if (kind === 'main' || this.isSidecar) this.#continue()
    if ((pod.spec.initContainers ?? []).length === 0) this.#state = { waiting: { reason: 'ContainerCreating' } }
  }

  /** After a run of the node's before this one: it counts as a restart, and nobody knows how the last run ended. */
  #continue(): void {
    const { containerStatuses = [], initContainerStatuses = [] } = this.#pod.status ?? {}
    const before = [...containerStatuses, ...initContainerStatuses].find(({ name }) => name === this.#container.name)
    if (before?.containerID === undefined) return
    const { running, terminated } = before.state
    const { containerID } = before
    const lost = { exitCode: LOST, reason: 'Unknown', ...running, finishedAt: this.#now(), containerID }
    this.#restarts = before.restartCount + 1
    this.#lastState = { terminated: terminated ?? lost }
  }

  get name(): string {
    return this.#container.name
  }

  get container(): Container {
    return this.#container
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  /** The container's first process; undefined while it doesn't run. */
  get pid(): number | undefined {
    return this.#process?.pid || undefined
  }

  /** An init container that runs beside the others. */
  get isSidecar(): boolean {
    return this.#kind === 'init' && this.#container.restartPolicy === 'Always'
  }

  /** Resolves when the container has started and its startup probe, if any, has succeeded. */
  get startedUp(): Promise<void> {
    return this.#onStarted.promise
  }

  status(): ContainerStatus {
    return {
      name: this.#container.name,
      state: this.#state,
      lastState: this.#lastState,
      ready: this.#ready,
      started: this.#started,
      restartCount: this.#restarts,
      image: this.#container.image ?? '',
      imageID: this.#image?.id ?? '',
      ...(this.#id === '' ? {} : { containerID: `ambit://${this.#id}` }),
    }
  }

  /** Runs and restarts the container until its policy or the signal ends it; resolves with the last exit code. */
  async run(context: PodContext, policy: string | undefined, signal: AbortSignal): Promise<number> {
    this.#notify = context.onChange
    const backoff = new CrashBackoff()
    for (;;) {
      const image = await this.#pull(context, signal)
      const beganMs = this.#components.clock.monotonic()
      const exit = await this.#once(context, image, signal)
      if (exit === undefined) {
        await this.#components.clock.sleep(CONFIG_RETRY_MS, signal).catch(() => undefined)
        if (signal.aborted) return START_ERROR
        continue
      }
      if (signal.aborted || !restarts(policy, exit)) return exit
      await this.#backOff(context, backoff.next(this.#components.clock.monotonic() - beganMs), signal)
      if (signal.aborted) return exit
      if (this.#ended.terminated !== undefined) this.#lastState = this.#ended
      this.#restarts++
    }
  }

  /** Ends the running program: preStop, then SIGTERM, and SIGKILL when the grace period is over. */
  async stop(context: PodContext, graceMs: number): Promise<void> {
    const running = this.#process
    if (running === undefined) return
    const { clock } = this.#components
    this.#event(context.pod, 'Normal', 'Killing', `Stopping container ${this.name}`)
    const deadline = clock.monotonic() + graceMs
    const preStop = this.#container.lifecycle?.preStop
    const hooked = preStop !== undefined && graceMs > 0
    if (hooked) await this.#hook(context, 'PreStop', preStop, graceMs).catch(() => undefined)
    running.terminate()
    const left = Math.max(hooked ? MIN_GRACE_AFTER_HOOK_MS : 0, deadline - clock.monotonic())
    using _kill = clock.after(left, () => running.kill())
    await running.exited.catch(() => undefined)
  }

  /** Ends the program at once, whatever grace it was given. */
  kill(): void {
    this.#process?.kill()
  }

  exec(o: { command: readonly string[]; tty: boolean; stdin: boolean; signal: AbortSignal }): ExecSession {
    const running = this.#process
    if (running === undefined || running.pid === 0) throw new NotRunningError(`container ${this.name} is not running`)
    const { manyUsers, tools } = this.#components
    const privileges = privilegeWords(this.#pod, this.#container, manyUsers)
    return startExec({
      ...o,
      command: this.#image === undefined ? o.command : commandLine(this.#image, { command: o.command }),
      pid: running.pid,
      env: this.#env,
      workingDir: this.#container.workingDir ?? this.#image?.workingDir ?? '/',
      privileges,
      tools,
    })
  }

  /** Joins the running program itself. */
  attach(o: { tty: boolean; stdin: boolean; signal: AbortSignal }): ExecSession {
    const running = this.#process
    if (running === undefined) throw new NotRunningError(`container ${this.name} is not running`)
    return this.#attachments.attach(running, { ...o, stdinOnce: this.#container.stdinOnce === true })
  }

  log(previous: boolean): ContainerLog | undefined {
    return previous ? this.#previousLog : this.#log
  }

  close(): void {
    this.#log?.close()
  }

  async #pull(context: PodContext, signal: AbortSignal): Promise<ImageProgram> {
    const reference = this.#container.image ?? ''
    const { catalogue, clock } = this.#components
    const policy = this.#container.imagePullPolicy
    const onFailure = ({ event, message, reason }: PullFailure): void => {
      this.#set({ waiting: { reason, message } })
      this.#event(context.pod, event.type, event.reason, event.message)
    }
    this.#image = await pullImage({ reference, policy, catalogue, clock, signal, onFailure })
    const how =
      policy === 'Always'
        ? `Successfully pulled image "${reference}"`
        : `Container image "${reference}" already present on machine`
    this.#event(context.pod, 'Normal', 'Pulled', how)
    return this.#image
  }

  async #backOff(context: PodContext, delayMs: number, signal: AbortSignal): Promise<void> {
    if (delayMs === 0) return
    const { name, namespace, uid } = context.pod.metadata
    const pod = `${name}_${namespace}(${uid})`
    const message = `back-off ${goDuration(delayMs)} restarting failed container=${this.name} pod=${pod}`
    this.#lastState = this.#ended
    this.#set({ waiting: { reason: 'CrashLoopBackOff', message } })
    const event = `Back-off restarting failed container ${this.name} in pod ${pod}`
    this.#event(context.pod, 'Warning', 'BackOff', event)
    await this.#components.clock.sleep(delayMs, signal).catch(() => undefined)
  }

  /** One run from start to exit; undefined when it can't be configured yet, which is no run at all. */
  async #once(context: PodContext, image: ImageProgram, signal: AbortSignal): Promise<number | undefined> {
    const ended = new AbortController()
    if (this.#log !== undefined) {
      this.#previousLog?.remove()
      this.#previousLog = this.#log
    }
    const log = new ContainerLog(this.#logPath(context.pod), () => this.#components.clock.now())
    this.#log = log
    let exit: ExitStatus
    try {
      const running = await this.#start(context, image, log)
      this.#process = running
      if (signal.aborted) running.kill()
      void this.#begin(context, ended.signal)
      exit = await running.exited
    } catch (error) {
      return this.#failedToStart(context, error)
    } finally {
      ended.abort()
      this.#process = undefined
      this.#ready = false
      this.#started = false
      log.close()
    }
    const message = await terminationMessage(this.#messageFile(), this.#container, exit.code, log)
    this.#terminated(exit.code, exit.code === 0 ? 'Completed' : 'Error', message)
    return exit.code
  }

  async #start(context: PodContext, image: ImageProgram, log: ContainerLog): Promise<ContainerProcess> {
    const components = this.#components
    const { pod, sandbox, volumes } = context
    const messageFile = this.#messageFile()
    await prepareMessageFile(messageFile)
    const { env, script, command } = await planLaunch(
      {
        container: this.#container,
        image,
        pod,
        sandbox,
        volumes,
        message: {
          source: messageFile,
          target: this.#container.terminationMessagePath ?? DEFAULT_MESSAGE_PATH,
          readOnly: false,
        },
      },
      components,
    )
    this.#env = env
    this.#id = randomBytes(32).toString('hex')
    this.#event(pod, 'Normal', 'Created', `Created container: ${this.name}`)
    const interactive = this.#container.stdin === true || this.#container.tty === true
    this.#attachments.reset(interactive)
    return await startContainerProcess({
      tools: components.tools,
      sandbox,
      script,
      command,
      env,
      space: context.spaceOf(this.#container),
      log,
      stdin: this.#container.stdin === true,
      tty: this.#container.tty === true,
      onOutput: (stream, chunk) => this.#attachments.write(stream, chunk),
    })
  }

  /** What comes between the start of the program and its readiness. A failed postStart hook ends it. */
  async #begin(context: PodContext, ended: AbortSignal): Promise<void> {
    const { startupProbe, readinessProbe, lifecycle } = this.#container
    this.#startedAt = this.#now()
    this.#event(context.pod, 'Normal', 'Started', `Started container ${this.name}`)
    if (lifecycle?.postStart !== undefined) {
      try {
        await this.#hook(context, 'PostStart', lifecycle.postStart, LIMITS.commandTimeoutMs)
      } catch {
        if (!ended.aborted) await this.stop(context, this.#graceMs(context.pod))
        return
      }
      if (ended.aborted) return
    }
    this.#started = !startupProbe
    this.#ready = !startupProbe && !readinessProbe && this.#hasReadiness
    this.#set({ running: { startedAt: this.#startedAt } })
    if (this.#started) this.#onStarted.resolve()
    const target = this.#target(context)
    startProbes(this.#container, {
      clock: this.#components.clock,
      signal: ended,
      run: (probe) => runProbe(probe, target),
      events: {
        onReady: (ready) => {
          this.#ready = ready
          this.#notify()
        },
        onStarted: () => {
          this.#started = true
          this.#ready = !readinessProbe
          this.#onStarted.resolve()
          this.#notify()
        },
        onDead: (kind, probe) => {
          const what = `Container ${this.name} failed ${kind} probe, will be restarted`
          this.#event(context.pod, 'Normal', 'Killing', what)
          void this.stop(context, this.#graceMs(context.pod, probe))
        },
        onFailure: (kind, message) => {
          const title = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`
          this.#event(context.pod, 'Warning', 'Unhealthy', `${title} probe failed: ${message}`)
        },
      },
    })
  }

  /** An init container is ready when it has done its work, one that stays as any other. */
  get #hasReadiness(): boolean {
    return this.#kind === 'main' || this.isSidecar
  }

  #graceMs(pod: Pod, probe?: Probe): number {
    const seconds = probe?.terminationGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S
    return seconds * 1000
  }

  async #hook(
    context: PodContext,
    kind: 'PostStart' | 'PreStop',
    handler: LifecycleHandler,
    timeoutMs: number,
  ): Promise<void> {
    try {
      const target = this.#target(context)
      await runHook(handler, { clock: this.#components.clock, timeoutMs, target, exec: target.exec })
    } catch (error) {
      this.#event(context.pod, 'Warning', `Failed${kind}Hook`, messageOf(error))
      throw error
    }
  }

  #target(context: PodContext): ProbeTarget {
    return {
      podIp: context.sandbox.ips[0] ?? '',
      container: this.#container,
      sockets: this.#components.sockets,
      exec: (command, signal) => this.exec({ command, tty: false, stdin: false, signal }),
    }
  }

  #failedToStart(context: PodContext, error: unknown): number | undefined {
    const message = messageOf(error)
    this.#event(context.pod, 'Warning', 'Failed', `Error: ${message}`)
    if (error instanceof ContainerConfigError || error instanceof VolumeError) {
      this.#log = undefined
      this.#set({ waiting: { reason: 'CreateContainerConfigError', message } })
      return undefined
    }
    this.#terminated(START_ERROR, 'StartError', message)
    return START_ERROR
  }

  #terminated(exitCode: number, reason: string, message: string): void {
    const terminated = {
      exitCode,
      reason,
      ...(message === '' ? {} : { message }),
      startedAt: this.#startedAt === '' ? this.#now() : this.#startedAt,
      finishedAt: this.#now(),
      containerID: `ambit://${this.#id}`,
    }
    this.#ended = { terminated }
    this.#set(this.#ended)
  }

  #set(state: ContainerState): void {
    this.#state = state
    if (this.#kind === 'init' && !this.isSidecar) this.#ready = state.terminated?.exitCode === 0
    this.#notify()
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { name: host } = this.#components.node
    this.#components.events.event(pod, {
      type,
      reason,
      message,
      component: 'kubelet',
      host,
      fieldPath: `${FIELD[this.#kind]}{${this.name}}`,
    })
  }

  #messageFile(): string {
    return join(podFolderOf(this.#components, this.#pod), 'messages', this.name)
  }

  #logPath(pod: Pod): string {
    const { name, namespace, uid } = pod.metadata
    return join(this.#components.logsFolder, `${namespace}_${name}_${uid}`, this.name, `${this.#restarts}.log`)
  }

  #now(): string {
    return new Date(this.#components.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
  }
}
