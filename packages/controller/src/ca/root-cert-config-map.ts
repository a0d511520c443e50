import { aborted, type Clock, type Logger, messageOf, type ReadonlyWatchable } from '@ambit/core'
import type { CertificateAuthority } from '@ambit/identity'
import { ensureObject, KINDS, type KubeClient, type KubeObject, type ReadonlyObjectSet, statusOf } from '@ambit/kube'

export const ROOT_CERT_NAME = 'istio-ca-root-cert'
export const ROOT_CERT_KEY = 'root-cert.pem'
/** Namespaces where no pod could need it (Istio). */
const EXCLUDED: readonly string[] = ['kube-public', 'kube-node-lease', 'local-path-storage']
const RETRY_MS = 2_000

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

export interface RootCertComponents {
  readonly client: KubeClient
  readonly authority: ReadonlyWatchable<CertificateAuthority>
  readonly namespaces: ReadonlyObjectSet<KubeObject>
  /** The ConfigMaps of that name, of all namespaces. */
  readonly configMaps: ReadonlyObjectSet<ConfigMap>
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Leader's work: every namespace has the roots in a ConfigMap, so that pods can mount them. Created where missing,
 * repaired where changed, rewritten when the authority changes.
 */
export async function keepRootCertificates(parts: RootCertComponents, signal: AbortSignal): Promise<void> {
  const { namespaces, configMaps, authority, clock, logger } = parts
  // A leader that is one no more, or stops, before the first lists are in must not wait for them: they never come.
  await Promise.race([Promise.all([namespaces.synced, configMaps.synced]), aborted(signal)])
  if (signal.aborted) return
  const waiting = new Set<string>()
  let wake = Promise.withResolvers<void>()
  const want = (namespace: string | undefined): void => {
    if (namespace === undefined || EXCLUDED.includes(namespace)) return
    waiting.add(namespace)
    wake.resolve()
  }
  const all = (): void => {
    for (const { metadata } of namespaces) want(metadata.name)
  }
  const changed = (object: KubeObject): void => want(object.metadata.namespace)
  using _namespaces = namespaces.subscribe({ add: ({ metadata }) => want(metadata.name) })
  using _configMaps = configMaps.subscribe({ update: changed, delete: changed })
  using _authority = authority.subscribe(all)
  signal.addEventListener('abort', () => wake.resolve(), { once: true })
  while (!signal.aborted) {
    await wake.promise
    wake = Promise.withResolvers()
    for (const namespace of [...waiting]) {
      if (signal.aborted) return
      waiting.delete(namespace)
      if (isTerminating(namespaces.get(undefined, namespace))) continue
      try {
        await writeRootCertificate(parts.client, namespace, authority.value.rootsPem, configMaps, signal)
      } catch (error) {
        if (signal.aborted) return
        // 404: the namespace is gone; 403: it is being deleted.
        if (statusOf(error) === 404) continue
        logger.warn(`${ROOT_CERT_NAME} not written, trying again: ${messageOf(error)}`, { namespace })
        clock.after(RETRY_MS, () => want(namespace))
      }
    }
  }
}

function isTerminating(namespace: KubeObject | undefined): boolean {
  return namespace === undefined || namespace.metadata.deletionTimestamp !== undefined
}

async function writeRootCertificate(
  client: KubeClient,
  namespace: string,
  rootsPem: string,
  known: ReadonlyObjectSet<ConfigMap>,
  signal: AbortSignal,
): Promise<void> {
  if (known.get(namespace, ROOT_CERT_NAME)?.data?.[ROOT_CERT_KEY] === rootsPem) return
  const wanted: ConfigMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name: ROOT_CERT_NAME, labels: { 'istio.io/config': 'true' } },
    data: { [ROOT_CERT_KEY]: rootsPem },
  }
  const repair = (present: ConfigMap): ConfigMap | undefined =>
    present.data?.[ROOT_CERT_KEY] === rootsPem
      ? undefined
      : { ...present, data: { ...present.data, [ROOT_CERT_KEY]: rootsPem } }
  await ensureObject(client, KINDS.configMap, wanted, repair, signal)
}
