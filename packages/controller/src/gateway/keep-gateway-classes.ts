import type { Clock, Logger } from '@ambit/core'
import { aborted } from '@ambit/core'
import {
  KINDS,
  type KubeClient,
  type KubeObject,
  type ReadonlyObjectSet,
  type ResourceKind,
  type StatusWriter,
  statusOf,
} from '@ambit/kube'
import { conditionToWrite, saysAlready } from '../status/condition.ts'
import { specOf } from '../watch/decode-meta.ts'
import { isRecord, list, record, text } from '../watch/json.ts'
import { BUILTIN_CLASSES, type BuiltinClass, classOfController } from './gateway-classes.ts'
import { KeyedQueue } from './keyed-queue.ts'

/** How soon Gateway API is looked for again, ms. */
const MISSING_KIND_RETRY_MS = 3_000

const DEFINITION: ResourceKind = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
}

export interface GatewayClassParts {
  readonly client: KubeClient
  readonly classes: ReadonlyObjectSet<KubeObject>
  readonly writer: StatusWriter
  readonly clock: Clock
  readonly logger: Logger
}

/** Leader's work: the built-in classes exist, and every class of ours says so in its status. */
export async function keepGatewayClasses(parts: GatewayClassParts, signal: AbortSignal): Promise<void> {
  const { client, classes, clock, logger } = parts
  await Promise.race([classes.synced, aborted(signal)])
  if (signal.aborted) return
  let warning: Promise<boolean> | undefined
  const work = async (name: string): Promise<void> => {
    const builtin = BUILTIN_CLASSES.find((one) => one.name === name)
    if (builtin === undefined || classes.get(undefined, name) !== undefined) return
    try {
      await client.create(KINDS.gatewayClass, classObject(builtin), signal)
    } catch (error) {
      const status = statusOf(error)
      // 409: another writer was faster, it is there. 404: the cluster has no Gateway API yet, or one too old.
      if (status !== 404 && status !== 409) throw error
      if (status === 409) return
      // One for all classes, which fail together; again when there was nothing to warn of.
      warning ??= warnOfOldVersion(parts, signal)
      if (!(await warning)) warning = undefined
      clock.after(MISSING_KIND_RETRY_MS, () => queue.add(name))
    }
  }
  const queue = new KeyedQueue({ work, what: 'a GatewayClass could not be created', clock, logger }, signal)
  using _subscription = classes.subscribe({
    add: (object) => writeStatus(parts, object),
    update: (object) => writeStatus(parts, object),
    delete: ({ metadata }) => queue.add(metadata.name),
  })
  for (const { name } of BUILTIN_CLASSES) queue.add(name)
  await aborted(signal)
  await queue.settled()
}

/** Definitions without the version read here make Gateways invisible: that has to be said. */
async function warnOfOldVersion({ client, logger }: GatewayClassParts, signal: AbortSignal): Promise<boolean> {
  const { apiVersion, plural } = KINDS.gatewayClass
  const [group = '', version = ''] = apiVersion.split('/')
  const definition = await client.get(DEFINITION, { name: `${plural}.${group}` }, signal)
  if (definition === undefined) return false
  if (list(specOf(definition)['versions']).some((entry) => record(entry)['name'] === version)) return false
  const bundle = definition.metadata.annotations?.[`${group}/bundle-version`] ?? 'of an unknown version'
  logger.warn(`Gateway API ${bundle} lacks ${version}: no Gateway is seen; install its CRDs of v1.0.0 or later`)
  return true
}

function classObject({ name, controllerName, description }: BuiltinClass): KubeObject & { readonly spec: unknown } {
  const { apiVersion, kind } = KINDS.gatewayClass
  return { apiVersion, kind, metadata: { name }, spec: { controllerName, description } }
}

function writeStatus(parts: GatewayClassParts, object: KubeObject): void {
  const cls = classOfController(text(specOf(object)['controllerName']))
  if (cls === undefined) return
  const condition = conditionToWrite(
    { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Handled by Istio controller' },
    object,
    { nowMs: parts.clock.now(), generation: object.metadata.generation },
  )
  const write = { kind: KINDS.gatewayClass, name: object.metadata.name, fieldManager: cls.controllerName }
  if (saysAlready(condition, object) && sameFeatures(cls, object)) return parts.writer.forget(write)
  const features = cls.supportedFeatures.toSorted().map((name) => ({ name }))
  parts.writer.write({
    ...write,
    status: { conditions: [condition], ...(features.length === 0 ? {} : { supportedFeatures: features }) },
  })
}

function sameFeatures(cls: BuiltinClass, object: KubeObject): boolean {
  const present = list(record((object as { readonly status?: unknown }).status)['supportedFeatures'])
  const names = present.map((entry) => (isRecord(entry) ? entry['name'] : undefined))
  return names.length === cls.supportedFeatures.length && cls.supportedFeatures.every((name) => names.includes(name))
}
