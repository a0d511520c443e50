import type { Duplex, Readable } from 'node:stream'
import { ip, messageOf } from '@ambit/core'
import { Netns, netnsSockets } from '@ambit/linux'
import type { ExecRequest, ExecSession, LogRequest, PodRuntime, PodTarget } from '../apiserver/contract.types.ts'
import { badRequest, StatusError } from '../apiserver/status-error.ts'
import type { ContainerRunner } from './container-runner.ts'
import type { Kubelet } from './kubelet.ts'
import type { PodWorker } from './pod-worker.ts'

const DIAL_TIMEOUT_MS = 5000

/** exec, logs and port-forward: finds the pod's kubelet and asks it. */
export class ClusterPodRuntime implements PodRuntime {
  readonly #kubelets: readonly Kubelet[]

  /** The list may still grow while the cluster starts. */
  constructor(kubelets: readonly Kubelet[]) {
    this.#kubelets = kubelets
  }

  async exec(request: ExecRequest): Promise<ExecSession> {
    const container = this.#container(request, request.container)
    if (!container.running) throw badRequest(`container ${container.name} is not running`)
    return container.exec(request)
  }

  async attach(request: Omit<ExecRequest, 'command'>): Promise<ExecSession> {
    const container = this.#container(request, request.container)
    if (!container.running) throw badRequest(`container ${container.name} is not running`)
    return container.attach(request)
  }

  async logs(request: LogRequest): Promise<Readable> {
    const container = this.#container(request, request.container)
    const log = container.log(request.previous === true)
    if (log !== undefined) return log.read(request)
    if (request.previous === true) {
      throw badRequest(`previous terminated container "${container.name}" in pod "${request.pod}" not found`)
    }
    const why = container.status().state.waiting?.reason ?? 'ContainerCreating'
    throw badRequest(`container "${container.name}" in pod "${request.pod}" is waiting to start: ${why}`)
  }

  async portForward(request: PodTarget & { readonly port: number }): Promise<Duplex> {
    const sandbox = this.#worker(request).sandbox
    if (sandbox === undefined) throw badRequest(`pod ${request.pod} is not running`)
    using netns = Netns.open(sandbox.netns)
    const sockets = netnsSockets(netns)
    const dial = (address: string): Promise<Duplex> =>
      sockets.dial({
        to: { ip: ip(address), port: request.port },
        allowHalfOpen: true,
        timeoutMs: DIAL_TIMEOUT_MS,
        signal: request.signal,
      })
    try {
      return await dial('127.0.0.1').catch(() => dial('::1'))
    } catch (error) {
      throw new StatusError(
        500,
        'InternalError',
        `cannot reach port ${request.port} in pod ${request.pod}: ${messageOf(error)}`,
      )
    }
  }

  #container(target: PodTarget, name: string | undefined): ContainerRunner {
    const container = this.#worker(target).container(name)
    if (container === undefined) throw badRequest(`container ${name} is not valid for pod ${target.pod}`)
    return container
  }

  #worker(target: PodTarget): PodWorker {
    for (const kubelet of this.#kubelets) {
      const worker = kubelet.worker(target.namespace, target.pod)
      if (worker !== undefined) return worker
    }
    const why = 'it is not scheduled yet, or ended before the sandbox was started again'
    throw badRequest(`pod ${target.pod} has no containers on a node: ${why}`)
  }
}
