import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, type JsonObject, objectOf, textOf } from '../json.ts'
import type { MatchConstraints } from './match-rules.ts'

/** Where a webhook listens. */
export type WebhookAddress =
  | { readonly kind: 'url'; readonly url: string }
  | {
      readonly kind: 'service'
      readonly namespace: string
      readonly name: string
      readonly port: number
      readonly path: string
    }

export interface Webhook {
  readonly name: string
  readonly configuration: string
  readonly address: WebhookAddress
  /** Authorities of its certificate; the machine's when absent. */
  readonly caPem: string | undefined
  readonly match: MatchConstraints
  readonly conditions: readonly { readonly name: string; readonly expression: string }[]
  readonly failsOpen: boolean
  readonly timeoutMs: number
  readonly hasSideEffects: boolean
  readonly reinvoke: boolean
}

/** The webhooks of a stored configuration, which was validated when it was written. */
export function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  return arrayOf(configuration['webhooks']).map((item) => webhookOf(objectOf(item), configuration.metadata.name ?? ''))
}

function webhookOf(item: JsonObject, configuration: string): Webhook {
  const caBundle = at(item, 'clientConfig', 'caBundle')
  return {
    name: textOf(item['name']),
    configuration,
    address: addressOf(objectOf(item['clientConfig'])),
    caPem: typeof caBundle === 'string' && caBundle !== '' ? Buffer.from(caBundle, 'base64').toString() : undefined,
    match: {
      rules: arrayOf(item['rules']),
      namespaceSelector: item['namespaceSelector'],
      objectSelector: item['objectSelector'],
      equivalent: item['matchPolicy'] !== 'Exact',
    },
    conditions: arrayOf(item['matchConditions']).map((condition) => ({
      name: textOf(at(condition, 'name')),
      expression: textOf(at(condition, 'expression')),
    })),
    failsOpen: item['failurePolicy'] === 'Ignore',
    timeoutMs: Number(item['timeoutSeconds']) * 1000,
    hasSideEffects: item['sideEffects'] !== 'None' && item['sideEffects'] !== 'NoneOnDryRun',
    reinvoke: item['reinvocationPolicy'] === 'IfNeeded',
  }
}

function addressOf(client: JsonObject): WebhookAddress {
  if (typeof client['url'] === 'string') return { kind: 'url', url: client['url'] }
  const { namespace, name, port, path } = objectOf(client['service'])
  return {
    kind: 'service',
    namespace: textOf(namespace),
    name: textOf(name),
    port: Number(port),
    path: typeof path === 'string' ? path : '',
  }
}
