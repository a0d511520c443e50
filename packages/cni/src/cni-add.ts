import { basename, join, normalize } from 'node:path'
import { AmbitError, type Clock, messageOf } from '@ambit/core'
import { Netns } from '@ambit/linux'
import type { ClusterApi, ClusterView } from './cluster.types.ts'
import type { CniAddEvent } from './cni-add-event.ts'
import { type EnrollmentRules, enrollment } from './enrollment.ts'
import { POD_CACHE_ATTEMPTS, POD_CACHE_RETRY_MS } from './limits.ts'
import type { NetnsFinder } from './netns-finder.ts'
import type { PodFacts } from './pod-facts.ts'
import type { Reconciler } from './reconciler.ts'

/** A new pod cannot be enrolled, so its sandbox must fail: the kubelet will try again. */
export class CniAddError extends AmbitError {
  override readonly code = 'CNI_ADD_FAILED'
}

export interface CniAddComponents {
  readonly view: ClusterView
  readonly api: ClusterApi
  readonly reconciler: Pick<Reconciler, 'addNew'>
  readonly finder: Pick<NetnsFinder, 'owns'>
  readonly clock: Clock
}

export interface CniAddOptions {
  /** Where the node's root appears in this container. */
  readonly hostRoot: string
  readonly netnsDir: string
  readonly procDir: string
}

/** Serves the plugin's report of a new pod; the plugin has decided already that the pod is to be enrolled. */
export async function addNewPod(
  event: CniAddEvent,
  components: CniAddComponents,
  options: CniAddOptions,
): Promise<void> {
  await enrollNewPod(await findPod(event, components), event, components, options)
}

/** Serves a report of any new pod; the reason when it is not to be enrolled. */
export async function decideOnNewPod(
  event: CniAddEvent,
  components: CniAddComponents,
  options: CniAddOptions & EnrollmentRules,
): Promise<string | undefined> {
  const { view, api } = components
  const pod = await findPod(event, components)
  const namespace = view.namespace(pod.namespace) ?? (await api.readNamespace(pod.namespace))
  if (namespace === undefined) throw new CniAddError(`namespace ${pod.namespace} does not exist`)
  const { enrolled, reason } = enrollment(pod, namespace, options)
  if (!enrolled) return reason
  await enrollNewPod(pod, event, components, options)
  return undefined
}

async function enrollNewPod(
  pod: PodFacts,
  event: CniAddEvent,
  components: CniAddComponents,
  options: CniAddOptions,
): Promise<void> {
  if (pod.hostNetwork)
    throw new CniAddError(`${pod.namespace}/${pod.name} uses the host network and cannot be enrolled`)
  const netns = openNetns(event.netns, options)
  const ips = event.ips.length > 0 ? event.ips : pod.ips
  if (!components.finder.owns(netns, ips)) {
    netns[Symbol.dispose]()
    throw new CniAddError(`network namespace ${event.netns} owns none of the addresses ${ips.join(', ')}`)
  }
  await components.reconciler.addNew(pod, netns, ips)
}

/**
 * The own watch is usually a little behind the plugin, and the API server not. It may even still know a predecessor of
 * the same name, whose identity the new pod must not get.
 */
async function findPod(event: CniAddEvent, { view, api, clock }: CniAddComponents): Promise<PodFacts> {
  const isMeant = (pod: PodFacts | undefined): pod is PodFacts =>
    pod !== undefined && (event.podUid === undefined || pod.uid === event.podUid)
  for (let attempt = 0; attempt < POD_CACHE_ATTEMPTS; attempt++) {
    const pod = view.podNamed(event.podNamespace, event.podName)
    if (isMeant(pod)) return pod
    await clock.sleep(POD_CACHE_RETRY_MS)
  }
  const pod = await api.readPod(event.podNamespace, event.podName)
  if (isMeant(pod)) return pod
  throw new CniAddError(`pod ${event.podNamespace}/${event.podName} ${event.podUid ?? ''} does not exist`)
}

/** The plugin speaks of paths on the node; this finds the same file from inside the agent's container. */
export function netnsCandidates(path: string, { hostRoot, netnsDir, procDir }: CniAddOptions): readonly string[] {
  const clean = normalize(path)
  const process = /^\/proc\/([0-9]+)\/ns\/net$/.exec(clean)
  if (process !== null) return [join(procDir, process[1] ?? '', 'ns/net')]
  const named = /^\/(?:var\/)?run\/(?:docker\/)?netns\/[^/]+$/.test(clean)
  return named ? [join(netnsDir, basename(clean)), join(hostRoot, clean)] : [join(hostRoot, clean)]
}

function openNetns(path: string, options: CniAddOptions): Netns {
  let failure: unknown
  for (const candidate of netnsCandidates(path, options)) {
    try {
      return Netns.open(candidate)
    } catch (error) {
      failure = error
    }
  }
  throw new CniAddError(
    `network namespace ${path} cannot be opened: ${messageOf(failure)}; is the netns folder mounted?`,
    {
      cause: failure,
    },
  )
}
