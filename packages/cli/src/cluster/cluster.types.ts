/** An object as the Kubernetes API gives it. */
export interface ClusterObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string | undefined
    readonly labels?: Readonly<Record<string, string>> | undefined
    readonly annotations?: Readonly<Record<string, string>> | undefined
    readonly generation?: number | undefined
  }
  readonly [key: string]: unknown
}

export interface ListQuery {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ObjectReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string | undefined
}

export interface PodRequest {
  readonly namespace: string
  readonly pod: string
  readonly port: number
  readonly path: string
  readonly method?: 'GET' | 'POST'
}

export interface PodResponse {
  readonly status: number
  readonly body: string
}

/** An answer that is read as it comes. */
export interface PodStream {
  readonly status: number
  /** Ends when the pod ends it; throws when the connection breaks. Whoever stops reading ends the connection. */
  readonly body: AsyncIterable<Buffer>
}

export interface ApplyOptions {
  readonly dryRun: boolean
  /** Field manager; `ambit` unless given. */
  readonly fieldManager?: string | undefined
  /** Takes over fields of other managers; true unless given. */
  readonly force?: boolean | undefined
}

/** What the commands need of a cluster. */
export interface Cluster {
  /** Namespace of the kubeconfig's context, else `default`. */
  readonly currentNamespace: string
  /** Name of the kubeconfig's context, for a person. */
  readonly currentContext?: string | undefined
  list(query: ListQuery): Promise<readonly ClusterObject[]>
  read(reference: ObjectReference): Promise<ClusterObject | undefined>
  /** `v1.33.1`, as the API server says. */
  serverVersion(): Promise<string | undefined>
  /** For kinds that are questions, such as a SelfSubjectAccessReview: what comes back is the answer. */
  create(
    object: Readonly<Record<string, unknown>> & { readonly apiVersion: string; readonly kind: string },
  ): Promise<ClusterObject>
  /** Server-side apply. */
  apply(object: ClusterObject, options: ApplyOptions): Promise<void>
  /** RFC 7386 merge patch. */
  mergePatch(reference: ObjectReference, patch: Readonly<Record<string, unknown>>): Promise<void>
  /** False when it was not there. */
  delete(reference: ObjectReference): Promise<boolean>
  /** One HTTP exchange with a port of a pod, through the API server's port forwarding. */
  ask(request: PodRequest): Promise<PodResponse>
  /** The same for an answer without an end, until the signal. */
  follow(request: PodRequest, signal: AbortSignal): Promise<PodStream>
}
