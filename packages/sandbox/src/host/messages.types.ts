/** What the inner process (inside the namespaces) tells the outer one. */
export type FromInner =
  | { readonly type: 'want-listener' }
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready'; readonly kubeconfig: string }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'want-port'; readonly id: number; readonly port: MachinePort }

/** A port of the machine's own network. */
export interface MachinePort {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
}

/** What the outer process tells the inner one. */
export type ToInner =
  | { readonly type: 'listener' }
  | { readonly type: 'shutdown' }
  /** Comes with the open port. */
  | { readonly type: 'port'; readonly id: number }
  | { readonly type: 'port-refused'; readonly id: number; readonly code: string; readonly message: string }

/** Lines of JSON that the daemon writes on standard output until it is ready. */
export type DaemonLine =
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string }
