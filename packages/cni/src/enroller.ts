import { ANNOTATIONS } from '@ambit/api'
import { AmbitError, type Ip, type Logger, messageOf } from '@ambit/core'
import type { Netns } from '@ambit/linux'
import type { ClusterApi } from './cluster.types.ts'
import { type PodFacts, podKey } from './pod-facts.ts'
import type { PodNetnsCache } from './pod-netns-cache.ts'
import type { ProbeRules } from './probes.ts'
import { type RedirectDefaults, redirectOptions } from './redirect-options.ts'
import { applyRedirection, hasIpv6, removeRedirection, stopRedirecting } from './redirection.ts'
import type { ZdsServer } from './zds-server.ts'

/** The rules could not be written, so the pod must not be announced. */
export class RedirectionError extends AmbitError {
  override readonly code = 'REDIRECTION_FAILED'
}

/** The rules are in place but no ztunnel serves the pod yet: its traffic fails until one does. */
export class PartialEnrollmentError extends AmbitError {
  override readonly code = 'PARTIALLY_ENROLLED'
}

export interface EnrollerComponents {
  readonly api: ClusterApi
  readonly cache: PodNetnsCache
  readonly zds: Pick<ZdsServer, 'add' | 'remove'>
  readonly probes: Pick<ProbeRules, 'add' | 'note' | 'remove'>
  readonly logger: Logger
}

/** Brings one pod into the mesh or out of it. Callers never work on a pod twice at once. */
export class Enroller {
  readonly #components: EnrollerComponents
  readonly #defaults: RedirectDefaults
  readonly #complete = new Set<string>()

  constructor(components: EnrollerComponents, defaults: RedirectDefaults) {
    this.#components = components
    this.#defaults = defaults
  }

  /** Whether every step of the pod's enrolment has succeeded in this process. */
  isComplete(uid: string): boolean {
    return this.#complete.has(uid)
  }

  /** Takes ownership of the namespace handle. `ips` may know more than the object read from the API server. */
  async add(pod: PodFacts, netns: Netns, ips: readonly Ip[] = pod.ips): Promise<void> {
    const { cache, zds, probes, api, logger } = this.#components
    this.#complete.delete(pod.uid)
    cache.put(pod, netns)
    // First ztunnel listens: where rules lead to nobody, connections are refused and queries of names are lost without a
    // word. The rules come also if it does not: what is to be captured must not go on in plain text.
    const [announced, probed] = await Promise.allSettled([zds.add(pod, netns), probes.add(pod.uid, ips)])
    const [redirected] = await Promise.allSettled([this.#redirect(pod, netns)])
    if (redirected.status === 'rejected') {
      cache.delete(pod.uid)
      await Promise.allSettled([zds.remove(pod.uid), probes.remove(pod.uid)])
      const cause: unknown = redirected.reason
      throw new RedirectionError(`redirection rules of ${podKey(pod)} could not be written: ${messageOf(cause)}`, {
        cause,
      })
    }
    if (announced.status === 'rejected') {
      const cause: unknown = announced.reason
      await this.#annotate(pod, 'pending')
      throw new PartialEnrollmentError(
        `${podKey(pod)} is redirected, but ztunnel does not serve it: ${messageOf(cause)}`,
        {
          cause,
        },
      )
    }
    if (probed.status === 'rejected') throw probed.reason
    await api.writeRedirection(pod, 'enabled')
    this.#complete.add(pod.uid)
    logger.info('pod enrolled', { pod: podKey(pod), uid: pod.uid })
  }

  /**
   * After a restart: the pod is redirected and announced already, so only what this process must know is rebuilt. The
   * caller writes the probe rules once, for all adopted pods.
   */
  async adopt(pod: PodFacts, netns: Netns | undefined, reconcileRules: boolean): Promise<void> {
    const { cache, probes, logger } = this.#components
    cache.put(pod, netns)
    if (netns !== undefined && reconcileRules) {
      try {
        await this.#redirect(pod, netns)
      } catch (error) {
        logger.error('rules of an enrolled pod could not be renewed; they stay as they were', {
          pod: podKey(pod),
          error: messageOf(error),
        })
      }
    }
    probes.note(pod.uid, pod.ips)
    // Without its namespace the pod is only kept; finding it later completes the enrolment.
    if (netns !== undefined) this.#complete.add(pod.uid)
  }

  /** The pod lives on without the mesh. Takes ownership of the handle, which may be unknown. */
  async remove(pod: PodFacts, netns: Netns | undefined): Promise<void> {
    const { cache, zds, probes, api, logger } = this.#components
    using _owned = netns
    this.#complete.delete(pod.uid)
    const namespace = netns ?? cache.get(pod.uid)?.netns
    if (namespace === undefined)
      logger.warn('namespace of a pod that leaves was not found, its rules stay until it restarts', {
        pod: podKey(pod),
      })
    // Translation goes last: without it the resets of the connections that ztunnel ends would not reach the pod's
    // programs, which would wait for answers until they give up.
    else await stopRedirecting(namespace)
    // A ztunnel that connects from here on must not be told of it: nobody would tell it to let go.
    cache.leave(pod.uid)
    await zds.remove(pod.uid)
    if (namespace !== undefined) await removeRedirection(namespace)
    await probes.remove(pod.uid)
    cache.delete(pod.uid)
    await api.writeRedirection(pod, undefined)
    logger.info('pod left the mesh', { pod: podKey(pod), uid: pod.uid })
  }

  /** The pod is gone, and its namespace with it or about to be. */
  async forget(uid: string): Promise<void> {
    const { cache, zds, probes, logger } = this.#components
    this.#complete.delete(uid)
    await probes.remove(uid)
    const known = cache.get(uid)
    // Out of the snapshot first: a ztunnel that connects meanwhile must not wait for a pod that is gone.
    cache.delete(uid)
    await zds.remove(uid)
    if (known !== undefined) logger.info('pod is gone', { pod: podKey(known.pod), uid })
  }

  async #redirect(pod: PodFacts, netns: Netns): Promise<void> {
    const { options, ignored } = redirectOptions(pod, hasIpv6(netns), this.#defaults)
    if (ignored.length > 0) {
      this.#components.logger.warn(`${ANNOTATIONS.rerouteVirtualInterfaces} names interfaces that cannot be used`, {
        pod: podKey(pod),
        interfaces: ignored.join(','),
      })
    }
    await applyRedirection(netns, options)
  }

  /** Best effort: the failure that leads here is the one to report. */
  async #annotate(pod: PodFacts, state: 'pending'): Promise<void> {
    try {
      await this.#components.api.writeRedirection(pod, state)
    } catch (error) {
      this.#components.logger.warn('annotation could not be written', { pod: podKey(pod), error: messageOf(error) })
    }
  }
}
