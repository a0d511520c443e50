import type { KubeObject } from '../apiserver/contract.types.ts'

export interface KeySelector {
  readonly name?: string | undefined
  readonly key: string
  readonly optional?: boolean | undefined
}

export interface EnvVar {
  readonly name: string
  readonly value?: string | undefined
  readonly valueFrom?:
    | {
        readonly fieldRef?: { readonly fieldPath: string } | undefined
        readonly resourceFieldRef?: ResourceFieldRef | undefined
        readonly configMapKeyRef?: KeySelector | undefined
        readonly secretKeyRef?: KeySelector | undefined
      }
    | undefined
}

export interface ResourceFieldRef {
  readonly resource: string
  readonly containerName?: string | undefined
  readonly divisor?: string | number | undefined
}

export interface EnvFromSource {
  readonly prefix?: string | undefined
  readonly configMapRef?: { readonly name?: string; readonly optional?: boolean } | undefined
  readonly secretRef?: { readonly name?: string; readonly optional?: boolean } | undefined
}

export interface VolumeMount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean | undefined
  readonly subPath?: string | undefined
  readonly subPathExpr?: string | undefined
}

export interface Probe {
  readonly exec?: { readonly command?: readonly string[] } | undefined
  readonly httpGet?: HttpGetAction | undefined
  readonly tcpSocket?: { readonly port: number | string; readonly host?: string } | undefined
  readonly grpc?: { readonly port: number; readonly service?: string } | undefined
  readonly initialDelaySeconds?: number | undefined
  readonly periodSeconds?: number | undefined
  readonly timeoutSeconds?: number | undefined
  readonly successThreshold?: number | undefined
  readonly failureThreshold?: number | undefined
  /** Of liveness and startup probes: in place of the pod's. */
  readonly terminationGracePeriodSeconds?: number | undefined
}

export interface HttpGetAction {
  readonly path?: string | undefined
  readonly port: number | string
  readonly host?: string | undefined
  readonly scheme?: string | undefined
  readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[] | undefined
}

export interface LifecycleHandler {
  readonly exec?: { readonly command?: readonly string[] } | undefined
  readonly httpGet?: HttpGetAction | undefined
  readonly sleep?: { readonly seconds: number } | undefined
}

export interface SecurityContext {
  readonly privileged?: boolean | undefined
  readonly runAsUser?: number | undefined
  readonly runAsGroup?: number | undefined
  readonly runAsNonRoot?: boolean | undefined
  readonly readOnlyRootFilesystem?: boolean | undefined
  readonly allowPrivilegeEscalation?: boolean | undefined
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] } | undefined
}

export interface ContainerPort {
  readonly name?: string | undefined
  readonly containerPort: number
  readonly hostPort?: number | undefined
  readonly hostIP?: string | undefined
  readonly protocol?: string | undefined
}

export interface Container {
  readonly name: string
  readonly image?: string | undefined
  readonly imagePullPolicy?: string | undefined
  readonly command?: readonly string[] | undefined
  readonly args?: readonly string[] | undefined
  readonly workingDir?: string | undefined
  readonly env?: readonly EnvVar[] | undefined
  readonly envFrom?: readonly EnvFromSource[] | undefined
  readonly ports?: readonly ContainerPort[] | undefined
  readonly volumeMounts?: readonly VolumeMount[] | undefined
  readonly resources?:
    | {
        readonly limits?: Readonly<Record<string, string | number>>
        readonly requests?: Readonly<Record<string, string | number>>
      }
    | undefined
  readonly livenessProbe?: Probe | undefined
  readonly readinessProbe?: Probe | undefined
  readonly startupProbe?: Probe | undefined
  readonly lifecycle?: { readonly postStart?: LifecycleHandler; readonly preStop?: LifecycleHandler } | undefined
  readonly securityContext?: SecurityContext | undefined
  readonly restartPolicy?: string | undefined
  readonly stdin?: boolean | undefined
  readonly stdinOnce?: boolean | undefined
  readonly tty?: boolean | undefined
  readonly terminationMessagePath?: string | undefined
  readonly terminationMessagePolicy?: string | undefined
  /** Of ephemeral containers: whose processes it sees. */
  readonly targetContainerName?: string | undefined
}

export interface KeyToPath {
  readonly key: string
  readonly path: string
  readonly mode?: number | undefined
}

export interface DownwardItem {
  readonly path: string
  readonly fieldRef?: { readonly fieldPath: string } | undefined
  readonly resourceFieldRef?: ResourceFieldRef | undefined
  readonly mode?: number | undefined
}

export interface ProjectedSource {
  readonly serviceAccountToken?:
    | {
        readonly audience?: string | undefined
        readonly expirationSeconds?: number | undefined
        readonly path: string
      }
    | undefined
  readonly configMap?: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean }
  readonly secret?: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly optional?: boolean }
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[] }
}

export interface Volume {
  readonly name: string
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string | number } | undefined
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean } | undefined
  readonly hostPath?: { readonly path: string; readonly type?: string } | undefined
  readonly configMap?:
    | {
        readonly name?: string
        readonly items?: readonly KeyToPath[]
        readonly optional?: boolean
        readonly defaultMode?: number
      }
    | undefined
  readonly secret?:
    | {
        readonly secretName?: string
        readonly items?: readonly KeyToPath[]
        readonly optional?: boolean
        readonly defaultMode?: number
      }
    | undefined
  readonly projected?: { readonly sources?: readonly ProjectedSource[]; readonly defaultMode?: number } | undefined
  readonly downwardAPI?: { readonly items?: readonly DownwardItem[]; readonly defaultMode?: number } | undefined
}

export interface Toleration {
  readonly key?: string | undefined
  readonly operator?: string | undefined
  readonly value?: string | undefined
  readonly effect?: string | undefined
  readonly tolerationSeconds?: number | undefined
}

export interface SelectorRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[] | undefined
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined
  readonly matchExpressions?: readonly SelectorRequirement[] | undefined
}

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly SelectorRequirement[] | undefined
  readonly matchFields?: readonly SelectorRequirement[] | undefined
}

export interface PodAffinityTerm {
  readonly labelSelector?: LabelSelector | undefined
  readonly topologyKey: string
  readonly namespaces?: readonly string[] | undefined
  readonly namespaceSelector?: LabelSelector | undefined
  readonly matchLabelKeys?: readonly string[] | undefined
  readonly mismatchLabelKeys?: readonly string[] | undefined
}

export interface PodAffinityRules {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[]
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
    readonly weight: number
    readonly podAffinityTerm: PodAffinityTerm
  }[]
}

export interface TopologySpreadConstraint {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
  readonly labelSelector?: LabelSelector | undefined
  readonly minDomains?: number | undefined
  readonly nodeAffinityPolicy?: string | undefined
  readonly nodeTaintsPolicy?: string | undefined
  readonly matchLabelKeys?: readonly string[] | undefined
}

export interface Affinity {
  readonly nodeAffinity?:
    | {
        readonly requiredDuringSchedulingIgnoredDuringExecution?: {
          readonly nodeSelectorTerms?: readonly NodeSelectorTerm[]
        }
        readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
          readonly weight: number
          readonly preference: NodeSelectorTerm
        }[]
      }
    | undefined
  readonly podAffinity?: PodAffinityRules | undefined
  readonly podAntiAffinity?: PodAffinityRules | undefined
}

export interface PodSpec {
  readonly nodeName?: string | undefined
  readonly hostname?: string | undefined
  readonly subdomain?: string | undefined
  readonly serviceAccountName?: string | undefined
  readonly hostNetwork?: boolean | undefined
  readonly hostPID?: boolean | undefined
  readonly shareProcessNamespace?: boolean | undefined
  readonly setHostnameAsFQDN?: boolean | undefined
  readonly activeDeadlineSeconds?: number | undefined
  readonly schedulerName?: string | undefined
  readonly restartPolicy?: string | undefined
  readonly terminationGracePeriodSeconds?: number | undefined
  readonly dnsPolicy?: string | undefined
  readonly dnsConfig?:
    | {
        readonly nameservers?: readonly string[]
        readonly searches?: readonly string[]
        readonly options?: readonly { readonly name: string; readonly value?: string }[]
      }
    | undefined
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames?: readonly string[] }[] | undefined
  readonly enableServiceLinks?: boolean | undefined
  readonly securityContext?: SecurityContext & {
    readonly fsGroup?: number
    readonly supplementalGroups?: readonly number[]
    readonly sysctls?: readonly Sysctl[]
  }
  readonly nodeSelector?: Readonly<Record<string, string>> | undefined
  readonly tolerations?: readonly Toleration[] | undefined
  readonly affinity?: Affinity | undefined
  readonly topologySpreadConstraints?: readonly TopologySpreadConstraint[] | undefined
  readonly schedulingGates?: readonly { readonly name: string }[] | undefined
  readonly priority?: number | undefined
  readonly priorityClassName?: string | undefined
  readonly preemptionPolicy?: string | undefined
  readonly overhead?: Readonly<Record<string, string | number>> | undefined
  readonly readinessGates?: readonly { readonly conditionType: string }[] | undefined
  readonly initContainers?: readonly Container[] | undefined
  readonly containers: readonly Container[]
  readonly ephemeralContainers?: readonly Container[] | undefined
  readonly volumes?: readonly Volume[] | undefined
}

export interface Sysctl {
  readonly name: string
  readonly value: string
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly lastTransitionTime?: string | undefined
  readonly lastUpdateTime?: string | undefined
  readonly lastProbeTime?: string | null | undefined
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string } | undefined
  readonly running?: { readonly startedAt?: string } | undefined
  readonly terminated?:
    | {
        readonly exitCode: number
        readonly signal?: number
        readonly reason?: string
        readonly message?: string
        readonly startedAt?: string
        readonly finishedAt?: string
        readonly containerID?: string
      }
    | undefined
}

export interface ContainerStatus {
  readonly name: string
  readonly state: ContainerState
  readonly lastState: ContainerState
  readonly ready: boolean
  readonly started: boolean
  readonly restartCount: number
  readonly image: string
  readonly imageID: string
  readonly containerID?: string | undefined
}

export interface PodStatus {
  readonly phase?: string | undefined
  readonly conditions?: readonly Condition[] | undefined
  readonly podIP?: string | undefined
  readonly podIPs?: readonly { readonly ip: string }[] | undefined
  readonly hostIP?: string | undefined
  readonly startTime?: string | undefined
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly containerStatuses?: readonly ContainerStatus[] | undefined
  readonly initContainerStatuses?: readonly ContainerStatus[] | undefined
  readonly ephemeralContainerStatuses?: readonly ContainerStatus[] | undefined
  readonly qosClass?: string | undefined
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec
  readonly status?: PodStatus | undefined
}
