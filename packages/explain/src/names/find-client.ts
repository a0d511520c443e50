import { LABELS } from '@ambit/api'
import { DEFAULT_SELECTORS, type EnrollmentReason, enrollment } from '@ambit/cni/enrollment'
import type { Pod } from '@ambit/controller/judgement'
import { formatSpiffeId, type Ip, ip, parseIp, parseSpiffeId, type SpiffeId } from '@ambit/core'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import { UnknownNameError } from '../errors.ts'
import type { ClientRef, Question } from '../question.types.ts'
import type { Client } from './client.types.ts'
import { notFound } from './not-found.ts'
import { standIn } from './stand-in.ts'

/** Of nobody (RFC 5737): a client of which only its identity, or nothing, is known. */
const SOMEBODY: Ip = ip('192.0.2.2')
const OUTSIDE: Ip = ip('192.0.2.1')

/** Who the question is about. */
export function findClient(compiled: CompiledMesh, { from, sourceIp }: Pick<Question, 'from' | 'sourceIp'>): Client {
  const given = sourceIp === undefined ? undefined : readIp(sourceIp)
  switch (from.kind) {
    case 'pod':
      return ofPod(compiled, podOf(compiled, from), given)
    case 'account':
      return ofAccount(compiled, from, given)
    case 'identity':
      return ofIdentity(compiled, from, given)
    case 'outside': {
      const address = given ?? (from.ip === undefined ? OUTSIDE : readIp(from.ip))
      return outside(address)
    }
  }
}

function readIp(written: string): Ip {
  const address = parseIp(written)
  if (address === undefined) throw new UnknownNameError(`${JSON.stringify(written)} is no IP address`)
  return address
}

function outside(address: Ip): Client {
  return {
    name: address,
    pod: undefined,
    namespace: '',
    workload: undefined,
    identity: undefined,
    ip: address,
    isCaptured: false,
    because: 'it is outside of the mesh: no ztunnel takes its connections, and it has no identity',
    gaps: [],
  }
}

function podOf({ judgement }: CompiledMesh, { namespace, name }: Extract<ClientRef, { kind: 'pod' }>): Pod {
  const { pods } = judgement.state
  const found =
    pods.get(namespace, name) ?? [...pods.in(namespace)].find((pod) => pod.running && pod.workloadName === name)
  if (found?.running === true) return found
  if (found !== undefined) throw new UnknownNameError(`pod ${namespace}/${name} has no address, or has ended`)
  throw notFound(
    'pod',
    `${namespace}/${name}`,
    [...pods].map((pod) => `${pod.namespace}/${pod.name}`),
  )
}

function ofPod(compiled: CompiledMesh, pod: Pod, given: Ip | undefined, gaps: readonly string[] = []): Client {
  const workload = compiled.workloads.workload(uidOf(compiled, pod))
  const isCaptured = workload?.protocol === 'HBONE' && !workload.nativeTunnel && !pod.hostNetwork
  return {
    name: `${pod.namespace}/${pod.name}`,
    pod,
    namespace: pod.namespace,
    workload,
    identity: isCaptured ? workload.identity : undefined,
    ip: given ?? pod.ips[0] ?? SOMEBODY,
    isCaptured,
    because: isCaptured ? whyCaptured(compiled, pod) : whyNotCaptured(compiled, pod),
    gaps,
  }
}

export function uidOf({ mesh }: CompiledMesh, { namespace, name }: { namespace: string; name: string }): string {
  return `${mesh.clusterId}//Pod/${namespace}/${name}`
}

function ofAccount(
  compiled: CompiledMesh,
  { namespace, serviceAccount }: { readonly namespace: string; readonly serviceAccount: string },
  given: Ip | undefined,
): Client {
  const { state } = compiled.judgement
  const pods = [...state.pods.in(namespace)]
    .filter((pod) => pod.running && pod.serviceAccount === serviceAccount)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const captured = pods.filter((pod) => compiled.workloads.workload(uidOf(compiled, pod))?.protocol === 'HBONE')
  const [first] = captured.length > 0 ? captured : pods
  if (first !== undefined) {
    const left = pods.length - captured.length
    const gaps =
      captured.length > 0 && left > 0
        ? [
            `${left} of ${pods.length} pods of ${namespace}/${serviceAccount} are not captured: of those the answer may be another`,
          ]
        : []
    return ofPod(compiled, first, given, gaps)
  }
  const identity = { trustDomain: compiled.mesh.trustDomain, namespace, serviceAccount }
  const labels = state.namespaces.get(namespace)?.labels ?? {}
  const isCaptured = enrolledBy(labels, {}).enrolled
  return {
    ...alone(compiled, identity, given),
    isCaptured,
    identity: isCaptured ? identity : undefined,
    because: isCaptured
      ? `no pod runs as ${namespace}/${serviceAccount}; one in namespace ${namespace} would be captured (${LABELS.dataplaneMode}=ambient)`
      : `no pod runs as ${namespace}/${serviceAccount}, and one in namespace ${namespace} would not be captured: the namespace is not labelled ${LABELS.dataplaneMode}=ambient`,
  }
}

function ofIdentity(
  compiled: CompiledMesh,
  { identity: written, isProven = false }: Extract<ClientRef, { readonly kind: 'identity' }>,
  given: Ip | undefined,
): Client {
  const identity = parseSpiffeId(written)
  if (identity === undefined)
    throw new UnknownNameError(
      `${JSON.stringify(written)} is no identity: spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/ACCOUNT`,
    )
  const { mesh, judgement } = compiled
  const runs = [...judgement.state.pods.in(identity.namespace)].some(
    (pod) => pod.running && pod.serviceAccount === identity.serviceAccount,
  )
  if (!isProven && identity.trustDomain === mesh.trustDomain && runs) return ofAccount(compiled, identity, given)
  return {
    ...alone(compiled, identity, given),
    isCaptured: true,
    identity,
    because: `it is taken to prove the identity ${formatSpiffeId(identity)}`,
  }
}

/** Somebody of whom nothing runs. */
function alone(
  compiled: CompiledMesh,
  identity: SpiffeId,
  given: Ip | undefined,
): Omit<Client, 'isCaptured' | 'identity' | 'because'> {
  const { namespace, serviceAccount } = identity
  const address = given ?? SOMEBODY
  const workload = standIn(compiled, identity, address)
  const gaps = given === undefined ? [`nothing runs as ${namespace}/${serviceAccount}: its address is not known`] : []
  return { name: `${namespace}/${serviceAccount}`, pod: undefined, namespace, workload, ip: address, gaps }
}

function enrolledBy(
  namespaceLabels: Readonly<Record<string, string>>,
  pod: Partial<Pick<Pod, 'labels' | 'annotations' | 'hostNetwork' | 'namespace'>>,
): ReturnType<typeof enrollment> {
  return enrollment(
    {
      uid: '',
      namespace: pod.namespace ?? '',
      name: '',
      serviceAccount: '',
      labels: new Map(Object.entries(pod.labels ?? {})),
      annotations: new Map(Object.entries(pod.annotations ?? {})),
      hostNetwork: pod.hostNetwork ?? false,
      phase: 'Running',
      ips: [],
    },
    { name: pod.namespace ?? '', labels: new Map(Object.entries(namespaceLabels)) },
    { selectors: DEFAULT_SELECTORS, excludeNamespaces: [] },
  )
}

function whyCaptured({ judgement }: CompiledMesh, pod: Pod): string {
  if (pod.labels[LABELS.dataplaneMode] === 'ambient')
    return `captured: the pod is labelled ${LABELS.dataplaneMode}=ambient`
  const mode = judgement.state.namespaces.get(pod.namespace)?.labels[LABELS.dataplaneMode]
  if (mode === 'ambient') return `captured: namespace ${pod.namespace} is labelled ${LABELS.dataplaneMode}=ambient`
  return 'captured: its node agent has redirected it'
}

const REASONS: Readonly<Record<EnrollmentReason, string>> = {
  selected: `its labels ask for it, and its node agent has not redirected it`,
  'not selected': `neither the pod nor its namespace is labelled ${LABELS.dataplaneMode}=ambient`,
  'opted out': `the pod is labelled ${LABELS.dataplaneMode}=none`,
  'host network': 'it shares the network of its node',
  'excluded namespace': 'its namespace is never captured',
  'has a sidecar': 'it has a sidecar',
  terminated: 'it has ended',
}

export function whyNotCaptured({ judgement }: CompiledMesh, pod: Pod): string {
  const labels = judgement.state.namespaces.get(pod.namespace)?.labels ?? {}
  return `not captured: ${REASONS[enrolledBy(labels, pod).reason]}`
}
