import type { Clock } from '@ambit/core'
import { messageOf } from '@ambit/core'
import { type CniAddEvent, isDnsName } from './cni-add-event.ts'
import { type PluginConfig, resultIps } from './cni-protocol.ts'
import { DEFAULT_SELECTORS, enrollment, parseEnablementSelectors } from './enrollment.ts'
import { PLUGIN_POD_ATTEMPTS, PLUGIN_POD_RETRY_MS } from './limits.ts'
import { CNI_ERROR, PluginError } from './plugin-error.ts'
import type { NamespaceFacts, PodFacts } from './pod-facts.ts'

export interface PluginComponents {
  readonly readPod: (namespace: string, name: string) => Promise<PodFacts | undefined>
  readonly readNamespace: (name: string) => Promise<NamespaceFacts | undefined>
  /** Resolves when the agent has enrolled the pod. */
  readonly report: (event: CniAddEvent) => Promise<void>
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

/** Decides whether the new pod is to be enrolled and has the agent do it. A pod that should be captured never starts uncaptured. */
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
  const facts = await readFacts(namespace, name, sandbox.args.get('K8S_POD_UID'), components)
  const { enrolled, reason } = enrollment(facts.pod, facts.namespace, {
    selectors,
    excludeNamespaces: config.excludeNamespaces,
  })
  if (!enrolled) return { enrolled, reason }
  try {
    const ips = resultIps(config.prevResult)
    await components.report({
      netns: sandbox.netns,
      podName: name,
      podNamespace: namespace,
      podUid: facts.pod.uid,
      ips,
    })
  } catch (cause) {
    throw new PluginError(
      `istio-cni cmdAdd failed to contact node Istio CNI agent: ${messageOf(cause)}`,
      CNI_ERROR.enrollment,
      { cause },
    )
  }
  return { enrolled, reason }
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
