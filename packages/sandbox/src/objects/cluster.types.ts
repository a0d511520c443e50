import type { KubeObject, ObjectMeta } from '../apiserver/contract.types.ts'
import type { Condition, LabelSelector, NodeSelectorTerm, PodSpec } from './pod.types.ts'

export interface Taint {
  readonly key: string
  readonly value?: string | undefined
  readonly effect: string
  readonly timeAdded?: string | undefined
}

export interface Node extends KubeObject {
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[]; readonly podCIDR?: string }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
    readonly allocatable?: Readonly<Record<string, string | number>>
  }
}

export interface ServicePort {
  readonly name?: string | undefined
  readonly protocol?: string | undefined
  readonly port: number
  readonly targetPort?: number | string | undefined
  readonly nodePort?: number | undefined
  readonly appProtocol?: string | undefined
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly type?: string | undefined
    readonly clusterIP?: string | undefined
    readonly clusterIPs?: readonly string[] | undefined
    readonly ipFamilies?: readonly string[] | undefined
    readonly selector?: Readonly<Record<string, string>> | undefined
    readonly ports?: readonly ServicePort[] | undefined
    readonly externalName?: string | undefined
    readonly publishNotReadyAddresses?: boolean | undefined
    readonly externalIPs?: readonly string[] | undefined
    readonly sessionAffinity?: string | undefined
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } } | undefined
    readonly internalTrafficPolicy?: string | undefined
    readonly externalTrafficPolicy?: string | undefined
    readonly healthCheckNodePort?: number | undefined
    readonly loadBalancerClass?: string | undefined
    readonly loadBalancerIP?: string | undefined
    readonly loadBalancerSourceRanges?: readonly string[] | undefined
  }
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] } }
}

export interface LoadBalancerIngress {
  readonly ip?: string | undefined
  readonly hostname?: string | undefined
  /** VIP: packets keep it as their destination. Proxy: they come from a proxy that has it. */
  readonly ipMode?: string | undefined
  readonly ports?: readonly { readonly port: number; readonly protocol: string; readonly error?: string }[] | undefined
}

export interface Endpoint {
  readonly addresses: readonly string[]
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hostname?: string | undefined
  readonly nodeName?: string | undefined
  readonly zone?: string | undefined
  readonly targetRef?: {
    readonly kind: string
    readonly namespace?: string | undefined
    readonly name?: string | undefined
    readonly uid?: string | undefined
  }
}

export interface EndpointPort {
  readonly name?: string | undefined
  readonly port?: number | undefined
  readonly protocol?: string | undefined
  readonly appProtocol?: string | undefined
}

export interface EndpointSlice extends KubeObject {
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints?: readonly Endpoint[] | undefined
  readonly ports?: readonly EndpointPort[] | undefined
}

export interface PodTemplate {
  readonly metadata?: ObjectMeta | undefined
  readonly spec: PodSpec
}

export type IntOrPercent = number | string

export interface Deployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined
    readonly selector: LabelSelector
    readonly template: PodTemplate
    readonly paused?: boolean | undefined
    readonly minReadySeconds?: number | undefined
    readonly progressDeadlineSeconds?: number | undefined
    readonly revisionHistoryLimit?: number | undefined
    readonly strategy?: {
      readonly type?: string
      readonly rollingUpdate?: { readonly maxSurge?: IntOrPercent; readonly maxUnavailable?: IntOrPercent }
    }
  }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
    readonly availableReplicas?: number
    readonly collisionCount?: number
    readonly [key: string]: unknown
  }
}

export interface ReplicaSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined
    readonly selector: LabelSelector
    readonly template: PodTemplate
    readonly minReadySeconds?: number | undefined
  }
  readonly status?: {
    readonly replicas?: number
    readonly readyReplicas?: number
    readonly availableReplicas?: number
    readonly observedGeneration?: number
    readonly conditions?: readonly Condition[]
  }
}

/** The ReplicaSet's predecessor: its selector is a map of labels. */
export interface ReplicationController extends KubeObject {
  readonly spec: Omit<ReplicaSet['spec'], 'selector'> & { readonly selector: Readonly<Record<string, string>> }
  readonly status?: NonNullable<ReplicaSet['status']>
}

export interface DaemonSet extends KubeObject {
  readonly spec: {
    readonly selector: LabelSelector
    readonly template: PodTemplate
    readonly minReadySeconds?: number | undefined
    readonly revisionHistoryLimit?: number | undefined
    readonly updateStrategy?: {
      readonly type?: string
      readonly rollingUpdate?: { readonly maxSurge?: IntOrPercent; readonly maxUnavailable?: IntOrPercent }
    }
  }
  readonly status?: Readonly<Record<string, unknown>>
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined
  readonly binaryData?: Readonly<Record<string, string>> | undefined
}

export interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | undefined
}

export interface PersistentVolumeClaim extends KubeObject {
  readonly spec: {
    readonly accessModes?: readonly string[] | undefined
    readonly storageClassName?: string | undefined
    readonly volumeName?: string | undefined
    readonly volumeMode?: string | undefined
    readonly selector?: LabelSelector | undefined
    readonly resources?: { readonly requests?: Readonly<Record<string, string | number>> } | undefined
  }
  readonly status?: { readonly phase?: string | undefined } | undefined
}

export interface PersistentVolume extends KubeObject {
  readonly spec: {
    readonly accessModes?: readonly string[] | undefined
    readonly capacity?: Readonly<Record<string, string | number>> | undefined
    readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string } | undefined
    readonly hostPath?: { readonly path: string; readonly type?: string } | undefined
    readonly local?: { readonly path: string } | undefined
    readonly nodeAffinity?:
      | { readonly required?: { readonly nodeSelectorTerms?: readonly NodeSelectorTerm[] } }
      | undefined
    readonly persistentVolumeReclaimPolicy?: string | undefined
    readonly storageClassName?: string | undefined
    readonly volumeMode?: string | undefined
  }
  readonly status?: { readonly phase?: string | undefined } | undefined
}

export interface StorageClass extends KubeObject {
  readonly provisioner: string
  readonly reclaimPolicy?: string | undefined
}
