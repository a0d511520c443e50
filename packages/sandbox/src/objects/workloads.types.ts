import type { KubeObject } from '../apiserver/contract.types.ts'
import type { IntOrPercent, PodTemplate } from './cluster.types.ts'
import type { Condition, LabelSelector } from './pod.types.ts'

export interface StatefulSet extends KubeObject {
  readonly spec: {
    readonly replicas?: number | undefined
    readonly selector: LabelSelector
    readonly template: PodTemplate
    readonly serviceName?: string | undefined
    readonly podManagementPolicy?: string | undefined
    readonly minReadySeconds?: number | undefined
    readonly revisionHistoryLimit?: number | undefined
    readonly ordinals?: { readonly start?: number | undefined } | undefined
    readonly updateStrategy?: {
      readonly type?: string | undefined
      readonly rollingUpdate?: { readonly partition?: number; readonly maxUnavailable?: IntOrPercent }
    }
    readonly volumeClaimTemplates?: readonly KubeObject[] | undefined
    readonly persistentVolumeClaimRetentionPolicy?: { readonly whenDeleted?: string; readonly whenScaled?: string }
  }
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly currentRevision?: string
    readonly updateRevision?: string
    readonly collisionCount?: number
  }
}

/** A template as it was at one time, for roll backs of DaemonSets and StatefulSets. */
export interface ControllerRevision extends KubeObject {
  readonly revision: number
  readonly data: { readonly spec: { readonly template: PodTemplate } }
}

export interface PodFailureRule {
  readonly action: string
  readonly onExitCodes?: {
    readonly containerName?: string | undefined
    readonly operator: string
    readonly values: readonly number[]
  }
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string | undefined }[] | undefined
}

export interface JobSpec {
  readonly completions?: number | undefined
  readonly parallelism?: number | undefined
  readonly backoffLimit?: number | undefined
  readonly backoffLimitPerIndex?: number | undefined
  readonly maxFailedIndexes?: number | undefined
  readonly activeDeadlineSeconds?: number | undefined
  readonly ttlSecondsAfterFinished?: number | undefined
  readonly completionMode?: string | undefined
  readonly suspend?: boolean | undefined
  readonly podFailurePolicy?: { readonly rules?: readonly PodFailureRule[] } | undefined
  readonly podReplacementPolicy?: string | undefined
  readonly successPolicy?: {
    readonly rules?: readonly { readonly succeededIndexes?: string; readonly succeededCount?: number }[]
  }
  readonly managedBy?: string | undefined
  readonly selector?: LabelSelector | undefined
  readonly template: PodTemplate
}

export interface JobStatus {
  readonly active?: number | undefined
  readonly ready?: number | undefined
  readonly terminating?: number | undefined
  readonly succeeded?: number | undefined
  readonly failed?: number | undefined
  readonly startTime?: string | undefined
  readonly completionTime?: string | undefined
  readonly completedIndexes?: string | undefined
  readonly failedIndexes?: string | undefined
  readonly conditions?: readonly Condition[] | undefined
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] }
}

export interface Job extends KubeObject {
  readonly spec: JobSpec
  readonly status?: JobStatus | undefined
}

export interface CronJob extends KubeObject {
  readonly spec: {
    readonly schedule: string
    readonly timeZone?: string | undefined
    readonly suspend?: boolean | undefined
    readonly concurrencyPolicy?: string | undefined
    readonly startingDeadlineSeconds?: number | undefined
    readonly successfulJobsHistoryLimit?: number | undefined
    readonly failedJobsHistoryLimit?: number | undefined
    readonly jobTemplate: {
      readonly metadata?: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> }
      readonly spec: JobSpec
    }
  }
  readonly status?: {
    readonly active?: readonly Readonly<Record<string, unknown>>[]
    readonly lastScheduleTime?: string
    readonly lastSuccessfulTime?: string
  }
}

export interface PodDisruptionBudget extends KubeObject {
  readonly spec: {
    readonly minAvailable?: IntOrPercent | undefined
    readonly maxUnavailable?: IntOrPercent | undefined
    readonly selector?: LabelSelector | undefined
    readonly unhealthyPodEvictionPolicy?: string | undefined
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly disruptionsAllowed?: number
    readonly currentHealthy?: number
    readonly desiredHealthy?: number
    readonly expectedPods?: number
    readonly disruptedPods?: Readonly<Record<string, string>>
    readonly conditions?: readonly Condition[]
  }
}

export interface HorizontalPodAutoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly apiVersion?: string; readonly kind: string; readonly name: string }
    readonly minReplicas?: number
    readonly maxReplicas: number
  }
  readonly status?: Readonly<Record<string, unknown>> & { readonly conditions?: readonly Condition[] }
}

export interface ResourceQuota extends KubeObject {
  readonly spec: {
    readonly hard?: Readonly<Record<string, string | number>> | undefined
    readonly scopes?: readonly string[] | undefined
    readonly scopeSelector?: { readonly matchExpressions?: readonly QuotaScope[] } | undefined
  }
  readonly status?: {
    readonly hard?: Readonly<Record<string, string | number>>
    readonly used?: Readonly<Record<string, string | number>>
  }
}

export interface QuotaScope {
  readonly scopeName: string
  readonly operator: string
  readonly values?: readonly string[] | undefined
}

export interface EndpointsSubset {
  readonly addresses?: readonly EndpointsAddress[] | undefined
  readonly notReadyAddresses?: readonly EndpointsAddress[] | undefined
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[] | undefined
}

export interface EndpointsAddress {
  readonly ip: string
  readonly hostname?: string | undefined
  readonly nodeName?: string | undefined
  readonly targetRef?: Readonly<Record<string, unknown>> | undefined
}

export interface Endpoints extends KubeObject {
  readonly subsets?: readonly EndpointsSubset[] | undefined
}
