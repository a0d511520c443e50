import { LABELS, ROOT_NAMESPACE } from '@ambit/api'
import { messageOf } from '@ambit/core'
import type { Cluster, ClusterObject } from '../cluster/cluster.types.ts'
import { isForbidden } from '../cluster/is-forbidden.ts'
import { asList, asObject, asText, asTexts } from '../json.ts'
import { isZtunnelPod } from '../ztunnel-config/select-pod.ts'

export interface FlowProxy {
  readonly namespace: string
  readonly pod: string
  /** Another pod of the same name is another proxy. */
  readonly uid: string
}

export interface FoundProxies {
  readonly proxies: readonly FlowProxy[]
  /** Which proxies are not known, and what it takes. */
  readonly gaps: readonly string[]
}

/** Pods of gateways that a chart installed have this label, whatever its value. */
const CHART_GATEWAY_LABEL = 'istio'

/** Node proxies, waypoints and gateways that run now. */
export async function findFlowProxies(
  cluster: Cluster,
  options: { readonly namespaces?: readonly string[] | undefined; readonly istioNamespace?: string | undefined },
): Promise<FoundProxies> {
  const { istioNamespace = ROOT_NAMESPACE, namespaces } = options
  const [ztunnels, gateways] = await Promise.all([
    listed(cluster, { namespace: istioNamespace }, `node proxies in ${istioNamespace}`),
    gatewayPods(cluster, namespaces),
  ])
  const proxies = [...ztunnels.pods.filter(isZtunnelPod), ...gateways.pods.filter(isProxyPod)].filter(isRunning)
  const gaps = [...ztunnels.gaps, ...gateways.gaps]
  if (ztunnels.gaps.length === 0 && !proxies.some(isZtunnelPod))
    gaps.push(`no ztunnel runs in namespace ${istioNamespace}; is the mesh installed?`)
  const byUid = new Map(proxies.map(proxyOf).map((proxy) => [proxy.uid, proxy]))
  return { proxies: [...byUid.values()], gaps }
}

interface Listed {
  readonly pods: readonly ClusterObject[]
  readonly gaps: readonly string[]
}

/** Of all namespaces; who may not is shown those of the namespaces that were asked for. */
async function gatewayPods(cluster: Cluster, namespaces: readonly string[] | undefined): Promise<Listed> {
  const selectors = [LABELS.gatewayName, CHART_GATEWAY_LABEL]
  const all = await listedBy(cluster, selectors, [undefined])
  if (all.gaps.length === 0 || namespaces === undefined) return all
  const some = await listedBy(cluster, selectors, namespaces)
  return { pods: some.pods, gaps: [...new Set([...all.gaps, ...some.gaps])] }
}

async function listedBy(
  cluster: Cluster,
  selectors: readonly string[],
  namespaces: readonly (string | undefined)[],
): Promise<Listed> {
  const answers = await Promise.all(
    namespaces.flatMap((namespace) =>
      selectors.map((labelSelector) => {
        const where = namespace === undefined ? 'all namespaces' : `namespace ${namespace}`
        return listed(cluster, { namespace, labelSelector }, `waypoints and gateways of ${where}`)
      }),
    ),
  )
  return {
    pods: answers.flatMap(({ pods }) => pods),
    gaps: [...new Set(answers.flatMap(({ gaps }) => gaps))],
  }
}

async function listed(
  cluster: Cluster,
  where: { readonly namespace?: string | undefined; readonly labelSelector?: string },
  what: string,
): Promise<Listed> {
  try {
    return { pods: await cluster.list({ apiVersion: 'v1', kind: 'Pod', ...where }), gaps: [] }
  } catch (error) {
    if (!isForbidden(error)) throw error
    const scope = where.namespace === undefined ? 'in all namespaces' : `in namespace ${where.namespace}`
    return { pods: [], gaps: [`${what} are not asked: it takes the right to list pods ${scope} (${messageOf(error)})`] }
  }
}

/** Runs `pilot-agent proxy …` or Ambit's own: others have Gateways too. */
function isProxyPod(pod: ClusterObject): boolean {
  return asList(asObject(pod['spec'])['containers'])
    .map((container) => asTexts(asObject(container)['args']))
    .some(([first, second]) => first === 'proxy' && (second === 'waypoint' || second === 'router'))
}

function isRunning(pod: ClusterObject): boolean {
  return asText(asObject(pod['status'])['phase']) === 'Running'
}

function proxyOf({ metadata }: ClusterObject): FlowProxy {
  const { name, namespace = '' } = metadata
  return { namespace, pod: name, uid: `${namespace}/${name}/${asText(asObject(metadata)['uid'])}` }
}
