import { aborted, type Clock, type Logger, messageOf, type ReadonlyWatchable } from '@ambit/core'
import { KINDS, KubeApiError, type KubeClient, type KubeObject, type ReadonlyObjectSet } from '@ambit/kube'
import { WEBHOOK_RETRY_MS } from '../limits.ts'
import { list, record } from '../watch/json.ts'
import { ALWAYS_REJECT } from './validate-object.ts'

export interface KeepWebhooksComponents {
  readonly client: KubeClient
  readonly configurations: ReadonlyObjectSet<KubeObject>
  /** Who signs the webhook's certificate. */
  readonly authority: ReadonlyWatchable<{ readonly rootsPem: string }>
  readonly clock: Clock
  readonly logger: Logger
}

const DEFAULT_VALIDATOR = 'istiod-default-validator'

/** The configurations that ask this control plane (Istio's names). */
export function webhookNames(namespace: string, revision: string): readonly string[] {
  const suffix = revision === 'default' ? '' : `-${revision}`
  return [`istio-validator${suffix}-${namespace}`, DEFAULT_VALIDATOR]
}

/**
 * Leader's work: puts the certificate authority into our webhook configurations, and lets them refuse when nobody answers as soon as it
 * was seen that somebody does. Nothing else of them is touched.
 */
export async function keepWebhooks(
  parts: KeepWebhooksComponents,
  options: { readonly namespace: string; readonly revision: string },
  signal: AbortSignal,
): Promise<void> {
  const { configurations, authority, clock, logger } = parts
  const names = new Set(webhookNames(options.namespace, options.revision))
  await Promise.race([configurations.synced, aborted(signal)])
  let wake = Promise.withResolvers<void>()
  const changed = (object: KubeObject): void => {
    if (names.has(object.metadata.name)) wake.resolve()
  }
  using _roots = authority.subscribe(() => wake.resolve())
  using _configurations = configurations.subscribe({ add: changed, update: changed, delete: () => undefined })
  signal.addEventListener('abort', () => wake.resolve(), { once: true })
  /** Those whose whole way was tried: who asks is answered. */
  const tried = new Set<string>()
  while (!signal.aborted) {
    wake = Promise.withResolvers<void>()
    let unfinished = false
    for (const name of names) {
      const present = configurations.get(undefined, name)
      if (present === undefined) continue
      try {
        const ready = wantsFail(present) && isAsked(present, authority.value.rootsPem)
        if (ready && !tried.has(name) && (await isRefused(parts, present, options, signal))) tried.add(name)
        unfinished = (await repair(parts, present, tried.has(name), signal)) || unfinished
      } catch (error) {
        unfinished = true
        if (!signal.aborted) logger.warn(`webhook configuration ${name} can not be kept: ${messageOf(error)}`)
      }
    }
    using _again = unfinished ? clock.after(WEBHOOK_RETRY_MS, () => wake.resolve()) : undefined
    await wake.promise
  }
}

type Webhook = Readonly<Record<string, unknown>>

function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  return list((configuration as { readonly webhooks?: unknown }).webhooks).map(record)
}

function wantsFail(configuration: KubeObject): boolean {
  return webhooksOf(configuration).some(({ failurePolicy }) => failurePolicy === 'Ignore')
}

/** Whether the API server can already call: the authority is the present one. */
function isAsked(configuration: KubeObject, rootsPem: string): boolean {
  return webhooksOf(configuration).every((webhook) => bundleOf(webhook) === bundle(rootsPem))
}

const bundle = (pem: string): string => Buffer.from(pem).toString('base64')
const bundleOf = ({ clientConfig }: Webhook): unknown => record(clientConfig)['caBundle']

/** Writes what is missing; answers whether something is left to be done later. */
async function repair(
  { client, authority, logger }: KeepWebhooksComponents,
  present: KubeObject,
  refuses: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const caBundle = bundle(authority.value.rootsPem)
  const ignores = wantsFail(present)
  const current = isAsked(present, authority.value.rootsPem)
  if (current && !(ignores && refuses)) return ignores
  const webhooks = webhooksOf(present).map((webhook) => ({
    ...webhook,
    clientConfig: { ...record(webhook['clientConfig']), caBundle },
    ...(refuses ? { failurePolicy: 'Fail' } : {}),
  }))
  await client.update(KINDS.validatingWebhook, { ...present, webhooks } as KubeObject, { signal })
  logger.info(`webhook configuration ${present.metadata.name} written`, {
    failurePolicy: refuses ? 'Fail' : 'as it was',
  })
  return ignores && !refuses
}

/** Tries the whole way: an object that is always refused, which is never stored. */
async function isRefused(
  { client }: KeepWebhooksComponents,
  { metadata: { name } }: KubeObject,
  { namespace, revision }: { readonly namespace: string; readonly revision: string },
  signal: AbortSignal,
): Promise<boolean> {
  const metadata = {
    name: 'invalid-gateway',
    namespace,
    // One configuration is for objects that name the revision, the other for those that name none.
    labels: name === DEFAULT_VALIDATOR ? {} : { 'istio.io/rev': revision },
    annotations: { [ALWAYS_REJECT]: 'true' },
  }
  const port = { number: 80, name: 'http', protocol: 'HTTP' }
  const body = {
    ...{ apiVersion: 'networking.istio.io/v1', kind: 'Gateway', metadata },
    spec: { servers: [{ port, hosts: ['*'] }] },
  }
  const path = `/apis/networking.istio.io/v1/namespaces/${namespace}/gateways`
  try {
    await client.request('POST', path, { body, query: { dryRun: 'All' }, signal })
    return false
  } catch (error) {
    if (error instanceof KubeApiError) return error.message.includes('denied the request')
    throw error
  }
}
