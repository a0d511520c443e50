import type { MeshSize } from './mesh-objects.ts'

export type ToApiServer =
  | { readonly type: 'fill'; readonly size: MeshSize; readonly proxies: number }
  | { readonly type: 'change'; readonly rate: number; readonly seconds: number }
  | { readonly type: 'tokens'; readonly count: number }

export interface ProxyToken {
  readonly token: string
  readonly pod: string
  readonly node: string
}

export type FromApiServer =
  | { readonly type: 'ready'; readonly port: number; readonly caPem: string }
  | { readonly type: 'filled'; readonly tokens: readonly ProxyToken[] }
  /** About to be written, at that time of the clock that all processes share: resources so named will be pushed. */
  | { readonly type: 'changing'; readonly kind: ChangeKind; readonly resource: string; readonly atMs: number }
  | { readonly type: 'changed'; readonly count: number; readonly behindMs: number; readonly cpuMs: number }
  | { readonly type: 'tokens'; readonly tokens: readonly string[] }

export type ChangeKind = 'readiness' | 'labels' | 'created' | 'deleted' | 'policy'

/** What the measured process says of itself. */
export interface ProcessSample {
  readonly cpuMs: number
  readonly rssBytes: number
  readonly heapBytes: number
  readonly externalBytes: number
  readonly loopP99Ms: number
  readonly loopMaxMs: number
}

export type ToProbe = { readonly type: 'sample'; readonly collect: boolean }
