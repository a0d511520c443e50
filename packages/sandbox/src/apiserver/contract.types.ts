import type { Duplex, Readable, Writable } from 'node:stream'

/** Group, version and plural resource name; the core group is the empty string. */
export interface Gvr {
  readonly group: string
  readonly version: string
  readonly resource: string
}

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean | undefined
  blockOwnerDeletion?: boolean | undefined
}

export interface ManagedFieldsEntry {
  manager?: string | undefined
  operation: 'Apply' | 'Update'
  apiVersion: string
  time?: string | undefined
  fieldsType: 'FieldsV1'
  fieldsV1: Record<string, unknown>
  subresource?: string | undefined
}

export interface ObjectMeta {
  name?: string | undefined
  generateName?: string | undefined
  namespace?: string | undefined
  uid?: string | undefined
  resourceVersion?: string | undefined
  generation?: number | undefined
  creationTimestamp?: string | undefined
  deletionTimestamp?: string | undefined
  deletionGracePeriodSeconds?: number | undefined
  labels?: Record<string, string> | undefined
  annotations?: Record<string, string> | undefined
  finalizers?: string[] | undefined
  ownerReferences?: OwnerReference[] | undefined
  managedFields?: ManagedFieldsEntry[] | undefined
}

/** Any API object. Objects handed out by the server are frozen snapshots: clone before changing one. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [key: string]: unknown
}

export interface ListOptions {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ObjectList {
  readonly items: KubeObject[]
  readonly resourceVersion: string
}

export interface WatchOptions extends ListOptions {
  /** Absent or "0": synthetic ADDED events for what exists, then changes. */
  readonly resourceVersion?: string | undefined
  readonly allowBookmarks?: boolean | undefined
  readonly signal: AbortSignal
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}

export type PropagationPolicy = 'Foreground' | 'Background' | 'Orphan'

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: PropagationPolicy | undefined
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined
}

export interface PatchOptions {
  readonly subresource?: 'status' | 'scale' | undefined
}

/**
 * In-process client with the semantics of the HTTP API; failures are `StatusError`.
 * A watch ends by the signal (quietly), or throws `StatusError` 410 when its history is gone: list again.
 */
export interface ObjectClient {
  get(gvr: Gvr, namespace: string | undefined, name: string): Promise<KubeObject>
  list(gvr: Gvr, options?: ListOptions): Promise<ObjectList>
  watch(gvr: Gvr, options: WatchOptions): AsyncIterable<WatchEvent>
  create(gvr: Gvr, object: KubeObject): Promise<KubeObject>
  update(gvr: Gvr, object: KubeObject): Promise<KubeObject>
  updateStatus(gvr: Gvr, object: KubeObject): Promise<KubeObject>
  /** JSON merge patch (RFC 7386). */
  patch(
    gvr: Gvr,
    namespace: string | undefined,
    name: string,
    patch: Readonly<Record<string, unknown>>,
    options?: PatchOptions,
  ): Promise<KubeObject>
  delete(gvr: Gvr, namespace: string | undefined, name: string, options?: DeleteOptions): Promise<void>
}

export interface PodTarget {
  readonly namespace: string
  readonly pod: string
  readonly signal: AbortSignal
}

export interface ExecRequest extends PodTarget {
  readonly container?: string | undefined
  readonly command: readonly string[]
  readonly tty: boolean
  readonly stdin: boolean
}

export interface ExecSession {
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  /** Absent with a tty. */
  readonly stderr: Readable | undefined
  resize(cols: number, rows: number): void
  readonly exit: Promise<{ readonly code: number } | { readonly error: string }>
}

export interface LogRequest extends PodTarget {
  readonly container?: string | undefined
  readonly follow: boolean
  readonly tailLines?: number | undefined
  readonly sinceSeconds?: number | undefined
  readonly previous?: boolean | undefined
  readonly timestamps?: boolean | undefined
  readonly limitBytes?: number | undefined
}

/** The kubelet's side of pods/exec, attach, log and portforward. Throw `StatusError` to answer with a Status. */
export interface PodRuntime {
  exec(request: ExecRequest): Promise<ExecSession>
  /** Absent: pods/attach answers that it isn't served. */
  attach?(request: Omit<ExecRequest, 'command'>): Promise<ExecSession>
  logs(request: LogRequest): Promise<Readable>
  portForward(request: PodTarget & { readonly port: number }): Promise<Duplex>
}

export interface IssueTokenOptions {
  readonly namespace: string
  readonly serviceAccount: string
  readonly audiences?: readonly string[] | undefined
  readonly expirationSeconds?: number | undefined
  /** Binds the token to a pod: it ends with the pod. */
  readonly pod?: { readonly name: string; readonly uid: string } | undefined
  readonly node?: { readonly name: string; readonly uid: string } | undefined
}

export interface IssuedToken {
  readonly token: string
  readonly expirationTimestamp: string
}
