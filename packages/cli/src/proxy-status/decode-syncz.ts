import { asList, asObject, asText, asTexts } from '../json.ts'

export interface TypeState {
  readonly typeUrl: string
  readonly state: 'SYNCED' | 'STALE' | 'NOT SENT' | 'ERROR'
  /** When the controller last sent this type, ms since 1970; undefined when it does not tell. */
  readonly sentAtMs: number | undefined
}

export interface SyncedProxy {
  /** `pod.namespace`. */
  readonly name: string
  readonly cluster: string
  readonly type: string
  readonly version: string
  readonly types: readonly TypeState[]
}

/** Reads `/debug/syncz`. */
export function decodeSyncz(value: unknown): readonly SyncedProxy[] {
  return asList(value).map((entry) => {
    const item = asObject(entry)
    const types = Object.entries(asObject(item['resources'])).map(([typeUrl, state]) => ({
      typeUrl,
      state: stateOf(asObject(state)),
      sentAtMs: timeOf(asObject(state)['sentTime']),
    }))
    return {
      name: podOf(asText(item['proxy'])),
      cluster: asText(item['cluster_id']),
      type: asText(item['proxy_type']),
      version: asText(item['istio_version']) || asText(item['proxy_version']),
      types,
    }
  })
}

function stateOf(state: Readonly<Record<string, unknown>>): TypeState['state'] {
  const sent = nonce(state['sent'])
  if (asText(state['lastError']) !== '') return 'ERROR'
  if (sent === '') return 'NOT SENT'
  return sent === nonce(state['acked']) ? 'SYNCED' : 'STALE'
}

function timeOf(value: unknown): number | undefined {
  const ms = Date.parse(asText(value))
  return Number.isFinite(ms) && ms > 0 ? ms : undefined
}

function nonce(value: unknown): string {
  return Array.isArray(value) ? asTexts(value).join() : asText(value)
}

/** A node id `type~ip~pod.ns~domain` names its pod in the third part; a plain `pod.ns` is taken as it is. */
function podOf(proxy: string): string {
  const parts = proxy.split('~')
  return parts.length === 4 ? (parts[2] ?? proxy) : proxy
}
