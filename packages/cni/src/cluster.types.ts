import type { NamespaceFacts, PodFacts } from './pod-facts.ts'

export type RedirectionState = 'enabled' | 'pending'

/** Changes of pods on this node and of all namespaces, each object whole. */
export interface ClusterEvents {
  podChanged(pod: PodFacts): void
  podGone(uid: string): void
  namespaceChanged(namespace: NamespaceFacts): void
}

/** What the agent reads from the API server: a live copy kept by watches. */
export interface ClusterView {
  pods(): readonly PodFacts[]
  pod(uid: string): PodFacts | undefined
  podNamed(namespace: string, name: string): PodFacts | undefined
  namespace(name: string): NamespaceFacts | undefined
}

/** What the agent asks of the API server. */
export interface ClusterApi {
  readPod(namespace: string, name: string): Promise<PodFacts | undefined>
  readNamespace(name: string): Promise<NamespaceFacts | undefined>
  /** Writes or removes the redirection annotation through `pods/status`; a pod that is gone is no error. */
  writeRedirection(pod: PodFacts, state: RedirectionState | undefined): Promise<void>
}
