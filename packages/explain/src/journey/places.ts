import { type Pod, routerNameOf } from '@ambit/controller/judgement'
import type { Ip } from '@ambit/core'
import type { Workload } from '@ambit/state'
import type { CompiledMesh } from '../compile/compile-mesh.ts'
import type { Sender } from './leg.types.ts'

/** A name instead of an address. */
const UNSPECIFIED = '0.0.0.0' as Ip

/** The pod that a workload is; undefined where it is none. */
export function podOf({ judgement }: CompiledMesh, { uid, namespace, name }: Workload): Pod | undefined {
  return uid.includes('//Pod/') ? judgement.state.pods.get(namespace, name) : undefined
}

/** Under which name the control plane tells the proxy in the pod what to do. */
export function proxyName(pod: Pod): string {
  return `${pod.namespace}/${routerNameOf(pod)}`
}

/** A proxy that opens connections of its own. */
export function proxySender(workload: Workload): Sender {
  const { identity, ips, namespace } = workload
  return { workload, identity, ip: ips[0] ?? UNSPECIFIED, namespace }
}

/** Pods that share their node's network are found by no address. */
export function podOfHost({ judgement }: CompiledMesh, address: Ip): Pod | undefined {
  for (const pod of judgement.state.pods) if (pod.running && pod.hostNetwork && pod.ips.includes(address)) return pod
  return undefined
}
