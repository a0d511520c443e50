/** What the inner process (inside the namespaces) tells the outer one. */
export type FromInner =
  | { readonly type: 'want-listener' }
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready'; readonly kubeconfig: string }
  | { readonly type: 'failed'; readonly message: string }

/** What the outer process tells the inner one. */
export type ToInner = { readonly type: 'listener' } | { readonly type: 'shutdown' }

/** Lines of JSON that the daemon writes on standard output until it is ready. */
export type DaemonLine =
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string }
