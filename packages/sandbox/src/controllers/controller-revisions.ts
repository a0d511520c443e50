import type { KubeObject } from '../apiserver/contract.types.ts'
import { hasStatus } from '../apiserver/status-error.ts'
import type { PodTemplate } from '../objects/cluster.types.ts'
import { GVR } from '../objects/gvr.ts'
import type { LabelSelector } from '../objects/pod.types.ts'
import type { ControllerRevision } from '../objects/workloads.types.ts'
import { claimDependents } from './claim.ts'
import type { ControllerComponents } from './components.types.ts'
import { ownerReference, templateHash } from './ownership.ts'

/** Label of a revision, and of the pods made from it. */
export const REVISION_HASH = 'controller-revision-hash'

const DEFAULT_HISTORY = 10
/** Annotations of an owner that its revisions don't take over. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.daemonset.template.generation',
])

export interface Revisions {
  readonly current: ControllerRevision
  /** Oldest first, the current one last. */
  readonly all: readonly ControllerRevision[]
}

interface TemplateOwner extends KubeObject {
  readonly spec: {
    readonly selector: LabelSelector
    readonly template: PodTemplate
    readonly revisionHistoryLimit?: number | undefined
  }
}

/** Keeps the templates that DaemonSets and StatefulSets have had, so that kubectl can show them and go back. */
export class ControllerRevisions {
  readonly #components: ControllerComponents

  constructor(components: ControllerComponents) {
    this.#components = components
  }

  /** The revision of the owner's present template: made, or taken up again under a new number. */
  async of(owner: TemplateOwner): Promise<Revisions> {
    const all = await this.#claim(owner)
    const newest = all.at(-1)
    const hash = templateHash(owner.spec.template)
    const same = all.find((revision) => hashOf(revision) === hash)
    const next = (newest?.revision ?? 0) + 1
    let current: ControllerRevision
    if (same === undefined) current = await this.#create(owner, hash, next)
    else {
      const annotations = takenAnnotations(owner)
      const told = Object.entries(annotations).every(([key, value]) => same.metadata.annotations?.[key] === value)
      const renumbered = same === newest ? {} : { revision: next }
      current = told && same === newest ? same : await this.#patch(same, { ...renumbered, metadata: { annotations } })
    }
    return { current, all: [...all.filter(({ metadata }) => metadata.uid !== current.metadata.uid), current] }
  }

  /** Removes the oldest of those that nothing runs. */
  async truncate(owner: TemplateOwner, revisions: Revisions, inUse: ReadonlySet<string>): Promise<void> {
    const idle = revisions.all.filter(({ metadata }) => {
      const { name = '' } = metadata
      return name !== revisions.current.metadata.name && !inUse.has(name)
    })
    const surplus = idle.length - (owner.spec.revisionHistoryLimit ?? DEFAULT_HISTORY)
    for (const revision of idle.slice(0, Math.max(0, surplus))) {
      const { namespace, name = '' } = revision.metadata
      await this.#components.client.delete(GVR.controllerRevisions, namespace, name).catch((error: unknown) => {
        if (!hasStatus(error, 404)) throw error
      })
      this.#components.caches.controllerRevisions.noteGone(revision)
    }
  }

  async #claim(owner: TemplateOwner): Promise<readonly ControllerRevision[]> {
    const { controllerRevisions } = this.#components.caches
    const { namespace, uid } = owner.metadata
    const candidates = [...controllerRevisions.controlledBy(uid), ...controllerRevisions.orphans(namespace)]
    const claim = claimDependents(owner, owner.spec.selector, candidates)
    const adopted: ControllerRevision[] = []
    for (const orphan of claim.adopt)
      adopted.push(await this.#patch(orphan, { metadata: { ownerReferences: [ownerReference(owner)] } }))
    return [...claim.owned, ...adopted].sort((a, b) => a.revision - b.revision)
  }

  async #create(owner: TemplateOwner, hash: string, revision: number): Promise<ControllerRevision> {
    const { namespace, name } = owner.metadata
    const { template } = owner.spec
    const created = await this.#components.client.create(GVR.controllerRevisions, {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace,
        labels: { ...template.metadata?.labels, [REVISION_HASH]: hash },
        annotations: takenAnnotations(owner),
        ownerReferences: [ownerReference(owner)],
      },
      // A strategic merge patch: what `kubectl rollout undo` sends.
      data: { spec: { template: { ...template, $patch: 'replace' } } },
      revision,
    })
    this.#components.caches.controllerRevisions.note(created as ControllerRevision)
    return created as ControllerRevision
  }

  async #patch(revision: ControllerRevision, patch: Readonly<Record<string, unknown>>): Promise<ControllerRevision> {
    const { namespace, name = '' } = revision.metadata
    const patched = await this.#components.client.patch(GVR.controllerRevisions, namespace, name, patch)
    this.#components.caches.controllerRevisions.note(patched as ControllerRevision)
    return patched as ControllerRevision
  }
}

function takenAnnotations(owner: KubeObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(owner.metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key)),
  )
}

/** The template as it was. */
export function templateOf(revision: ControllerRevision): PodTemplate {
  const { $patch: _, ...template } = revision.data.spec.template as PodTemplate & { $patch?: string }
  return template
}

const hashes = new WeakMap<object, string>()

function hashOf(revision: ControllerRevision): string {
  let hash = hashes.get(revision.data)
  if (hash === undefined) hashes.set(revision.data, (hash = templateHash(templateOf(revision))))
  return hash
}
