import type { Clock } from '@ambit/core'
import { messageOf } from '@ambit/core'
import { type CniAddEvent, isDnsName } from './cni-add-event.ts'
import { type PluginConfig, resultIps } from './cni-protocol.ts'
import { DEFAULT_SELECTORS, enrollment, parseEnablementSelectors } from './enrollment.ts'
import { PLUGIN_POD_ATTEMPTS, PLUGIN_POD_RETRY_MS } from './limits.ts'
import { CNI_ERROR, PluginError } from './plugin-error.ts'
import type { NamespaceFacts, PodFacts } from './pod-facts.ts'

/** What became of asking the agent. `away`: there was no answer at all. */
export type AgentAnswer =
  | { readonly kind: 'decided'; readonly enrolled: boolean; readonly reason: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'away'; readonly cause: unknown }

export interface PluginComponents {
  /** Has the agent decide on the pod, and enrol it if it is to be. */
  readonly report: (event: CniAddEvent) => Promise<AgentAnswer>
  readonly readPod: (namespace: string, name: string) => Promise<PodFacts | undefined>
  readonly readNamespace: (name: string) => Promise<NamespaceFacts | undefined>
  readonly clock: Clock
}

export interface SandboxFacts {
  readonly netns: string
  /** Of CNI_ARGS. */
  readonly args: ReadonlyMap<string, string>
}

export type AddOutcome = { readonly enrolled: boolean; readonly reason: string }

/** Name prefix of the agent's own pods: waiting for themselves they would never start. */
const AGENT_POD_PREFIX = 'istio-cni-node-'

/**
 * Has the agent enrol the new pod if it is to be. Without the agent the pod starts only if it is not to be captured at all,
 * which the API server then has to tell.
 */
export async function addSandbox(
  config: PluginConfig,
  sandbox: SandboxFacts,
  components: PluginComponents,
): Promise<AddOutcome> {
  const name = sandbox.args.get('K8S_POD_NAME') ?? ''
  const namespace = sandbox.args.get('K8S_POD_NAMESPACE') ?? ''
  if (name === '' || namespace === '') return { enrolled: false, reason: 'not a Kubernetes pod' }
  if (!config.ambientEnabled) return { enrolled: false, reason: 'ambient mode is off' }
  if (config.excludeNamespaces.includes(namespace)) return { enrolled: false, reason: 'excluded namespace' }
  if (namespace === config.podNamespace && name.startsWith(AGENT_POD_PREFIX)) {
    return { enrolled: false, reason: 'the node agent itself' }
  }
  if (!isDnsName(name) || !isDnsName(namespace)) {
    throw new PluginError(`istio-cni cmdAdd: ${namespace}/${name} is no pod name`, CNI_ERROR.invalidEnvironment)
  }
  const selectors =
    config.enablementSelectors === undefined ? DEFAULT_SELECTORS : parseEnablementSelectors(config.enablementSelectors)
  const uid = sandbox.args.get('K8S_POD_UID')
  const ips = resultIps(config.prevResult)
  const event = { netns: sandbox.netns, podName: name, podNamespace: namespace, ips, ...(uid && { podUid: uid }) }
  const answer = await components.report(event)
  if (answer.kind === 'decided') return answer
  if (answer.kind === 'failed') throw unreachable(answer.message)
  const facts = await readFacts(namespace, name, uid, components)
  const { enrolled, reason } = enrollment(facts.pod, facts.namespace, {
    selectors,
    excludeNamespaces: config.excludeNamespaces,
  })
  if (enrolled) throw unreachable(messageOf(answer.cause), answer.cause)
  return { enrolled, reason }
}

function unreachable(message: string, cause?: unknown): PluginError {
  return new PluginError(`istio-cni cmdAdd failed to contact node Istio CNI agent: ${message}`, CNI_ERROR.enrollment, {
    cause,
  })
}

async function readFacts(
  namespace: string,
  name: string,
  uid: string | undefined,
  { readPod, readNamespace, clock }: PluginComponents,
): Promise<{ pod: PodFacts; namespace: NamespaceFacts }> {
  let failure: unknown
  for (let attempt = 1; ; attempt++) {
    try {
      const [pod, space] = await Promise.all([readPod(namespace, name), readNamespace(namespace)])
      // A stale answer may still describe the predecessor of the same name.
      if (pod !== undefined && space !== undefined && (uid === undefined || pod.uid === uid))
        return { pod, namespace: space }
      failure = new Error(`pod ${namespace}/${name} or its namespace does not exist`)
    } catch (error) {
      failure = error
    }
    if (attempt === PLUGIN_POD_ATTEMPTS) break
    await clock.sleep(PLUGIN_POD_RETRY_MS)
  }
  throw new PluginError(
    `istio-cni cmdAdd failed to read pod ${namespace}/${name} from the API server: ${messageOf(failure)}`,
    CNI_ERROR.tryAgain,
    { cause: failure },
  )
}
