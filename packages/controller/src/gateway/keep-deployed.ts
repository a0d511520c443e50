import { isDeepStrictEqual } from 'node:util'
import { LABELS } from '@ambit/api'
import { aborted, type Clock, type Logger } from '@ambit/core'
import {
  KINDS,
  type KubeClient,
  type KubeObject,
  type ReadonlyObjectSet,
  type ResourceKind,
  statusOf,
  watchObjects,
} from '@ambit/kube'
import { specOf } from '../watch/decode-meta.ts'
import { type Json, record, stringMap } from '../watch/json.ts'
import type { RenderedObject } from './gateway.types.ts'
import { BUILTIN_CLASSES } from './gateway-classes.ts'
import type { GatewayInputs, OurGateway } from './gateway-inputs.ts'
import { KeyedQueue } from './keyed-queue.ts'
import { CONTROLLER_VERSION, CONTROLLER_VERSION_ANNOTATION, managementOf } from './management.ts'
import { gatewayNames, LEGACY_GATEWAY_NAME_LABEL, nameProblem } from './names.ts'
import { applyOverlays } from './overlays.ts'
import { foreignness } from './ownership.ts'
import { renderGateway } from './render-gateway.ts'

/** Kinds of what is made for a Gateway, in the order of application. */
const DEPLOYED_KINDS: readonly ResourceKind[] = [
  KINDS.serviceAccount,
  KINDS.service,
  KINDS.deployment,
  KINDS.horizontalPodAutoscaler,
  KINDS.podDisruptionBudget,
]
/** Marks what is ours to keep, for all classes. */
const OURS = `${LABELS.gatewayManaged} in (${BUILTIN_CLASSES.flatMap(({ deploys }) => deploys?.managedBy ?? []).join()})`
/** Removed again when no overlay asks for them any more. */
const ON_REQUEST: ReadonlySet<ResourceKind> = new Set([KINDS.horizontalPodAutoscaler, KINDS.podDisruptionBudget])

export interface DeploymentParts {
  readonly inputs: GatewayInputs
  readonly client: KubeClient
  readonly clock: Clock
  readonly logger: Logger
}

/** Leader's work: what a Gateway asks for exists, stays as rendered, and nothing that is another's is touched. */
export async function keepDeployed(parts: DeploymentParts, signal: AbortSignal): Promise<void> {
  const { inputs, client, clock, logger } = parts
  const sets = new Map(
    DEPLOYED_KINDS.map((kind) => [
      kind,
      watchObjects({
        client,
        kind,
        labelSelector: OURS,
        signal,
        logger,
        trim: withoutStatus,
      }),
    ]),
  )
  // A watch that is ended before its first list never is complete.
  await Promise.race([Promise.all([inputs.synced, ...[...sets.values()].map(({ synced }) => synced)]), aborted(signal)])
  if (signal.aborted) return
  const deployer = new Deployer(parts, sets)
  const queue = new KeyedQueue(
    {
      work: (key, ending) => deployer.deploy(key, ending),
      what: 'objects of a Gateway not applied',
      clock,
      logger,
    },
    signal,
  )
  using cleanup = new DisposableStack()
  const touched = (object: KubeObject): void => {
    const name = object.metadata.labels?.[LABELS.gatewayName]
    if (name !== undefined) queue.add(`${object.metadata.namespace ?? ''}/${name}`)
  }
  for (const set of sets.values())
    cleanup.use(
      set.subscribe({
        update: (after, before) => {
          if (!isDeepStrictEqual(substance(after), substance(before))) touched(after)
        },
        delete: touched,
      }),
    )
  cleanup.use(inputs.follow((key) => queue.add(key)))
  await aborted(signal)
  await queue.settled()
}

class Deployer {
  readonly #parts: DeploymentParts
  readonly #sets: ReadonlyMap<ResourceKind, ReadonlyObjectSet<KubeObject>>
  /** Said once, not at every look. */
  readonly #told = new Map<string, string>()

  constructor(parts: DeploymentParts, sets: ReadonlyMap<ResourceKind, ReadonlyObjectSet<KubeObject>>) {
    this.#parts = parts
    this.#sets = sets
  }

  async deploy(key: string, signal: AbortSignal): Promise<void> {
    const { inputs, logger } = this.#parts
    const ours = inputs.ours(key)
    if (ours === undefined) return void this.#told.delete(key)
    const { gateway, cls } = ours
    const management = managementOf(gateway, cls)
    if (!management.managed) return this.#tell(key, `not deployed: ${management.reason}`)
    const { kind } = management
    const settings = inputs.settings()
    if (!settings.ok) return this.#tell(key, `not deployed: ConfigMap of the installation's values: ${settings.reason}`)
    const problem = nameProblem(gateway, kind)
    if (problem !== undefined) return this.#tell(key, `not deployed: ${problem}`)
    const overlays = inputs.overlays(gateway)
    if (!overlays.ok) return this.#tell(key, `not deployed: ${overlays.reason}`)
    const { name } = gatewayNames(gateway, kind)
    const rendered = applyOverlays(
      renderGateway(gateway, kind, settings.settings, this.#selectorOf(gateway.namespace, name)),
      overlays.overlays,
    )
    if (!rendered.ok) return this.#tell(key, `not deployed: ${rendered.reason}`)
    this.#told.delete(key)
    if (management.takesOver) await this.#takeOver(ours, signal)
    for (const object of rendered.objects) await this.#apply(ours, object, signal)
    await this.#removeUnasked(gateway, rendered.objects, signal)
    logger.debug('objects of a Gateway applied', { gateway: key, objects: rendered.objects.length })
  }

  #tell(key: string, what: string): void {
    if (this.#told.get(key) === what) return
    this.#told.set(key, what)
    this.#parts.logger.info(what, { gateway: key })
  }

  /** A merge patch, because applying to a Gateway just deleted would ask for a new one. */
  async #takeOver({ gateway, cls }: OurGateway, signal: AbortSignal): Promise<void> {
    const annotations = { [CONTROLLER_VERSION_ANNOTATION]: String(CONTROLLER_VERSION) }
    const at = { namespace: gateway.namespace, name: gateway.name }
    const patch = { metadata: { uid: gateway.uid, annotations } }
    await this.#parts.client.mergePatch(KINDS.gateway, at, patch, { fieldManager: cls.controllerName, signal })
  }

  async #apply({ gateway, cls }: OurGateway, object: RenderedObject, signal: AbortSignal): Promise<void> {
    const kind = kindOf(object)
    const { namespace, name } = object.metadata
    const present =
      this.#sets.get(kind)?.get(namespace, name) ?? (await this.#parts.client.get(kind, { namespace, name }, signal))
    const foreign = present === undefined ? undefined : foreignness(present, gateway.uid)
    if (foreign !== undefined) {
      this.#parts.logger.warn(`${object.kind} left alone: ${foreign}`, {
        gateway: `${gateway.namespace}/${gateway.name}`,
        name,
      })
      return
    }
    await this.#parts.client.serverSideApply(kind, object, {
      fieldManager: cls.controllerName,
      force: true,
      signal,
    })
  }

  async #removeUnasked(
    { namespace, name, uid }: OurGateway['gateway'],
    wanted: readonly RenderedObject[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const kind of ON_REQUEST) {
      for (const present of this.#sets.get(kind)?.inNamespace(namespace) ?? []) {
        if (present.metadata.labels?.[LABELS.gatewayName] !== name || !isOwnedBy(present, uid)) continue
        if (wanted.some((object) => object.kind === kind.kind && object.metadata.name === present.metadata.name))
          continue
        try {
          await this.#parts.client.delete(kind, { namespace, name: present.metadata.name }, signal)
        } catch (error) {
          if (statusOf(error) !== 404) throw error
        }
      }
    }
  }

  /** Of the Deployment that is there: Kubernetes lets nobody change it. */
  #selectorOf(namespace: string, name: string): Readonly<Record<string, string>> | undefined {
    const present = this.#sets.get(KINDS.deployment)?.get(namespace, name)
    if (present === undefined) return undefined
    const labels = stringMap(record(specOf(present)['selector'])['matchLabels'])
    return labels[LEGACY_GATEWAY_NAME_LABEL] === undefined && labels[LABELS.gatewayName] === undefined
      ? undefined
      : labels
  }
}

function isOwnedBy({ metadata }: KubeObject, uid: string): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false
}

function kindOf(object: RenderedObject): ResourceKind {
  const kind = DEPLOYED_KINDS.find((one) => one.kind === object.kind)
  if (kind === undefined) throw new Error(`no ${object.kind} is made for a Gateway`)
  return kind
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object as KubeObject & { readonly status?: unknown }
  const { managedFields: __, ...metadata } = rest.metadata as KubeObject['metadata'] & {
    readonly managedFields?: unknown
  }
  return { ...rest, metadata }
}

/** What somebody may have changed, without what changes with every write. */
function substance(object: KubeObject): Json {
  const { resourceVersion: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
