import { type Logger, messageOf } from '@ambit/core'
import type { KubeObject } from '../contract.types.ts'
import { cloneJson } from '../json.ts'
import { applyJsonPatch } from '../patch/json-patch.ts'
import { inVersion } from '../resources/target.ts'
import type { AdmissionPoint } from '../resources/writing.ts'
import { badRequest, forbidden, StatusError } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'
import {
  type AdmissionExpressions,
  type Expression,
  expressionObject,
  expressionValue,
} from './admission-expressions.ts'
import { admissionRequest } from './admission-request.ts'
import { CelAuthorizer } from './cel-authorizer.ts'
import { matchingVersion } from './match-rules.ts'
import { readWebhookAnswer } from './webhook-answer.ts'
import { WebhookCallError, type WebhookClient } from './webhook-client.ts'
import { type Webhook, webhooksOf } from './webhook-config.ts'

export interface WebhooksComponents {
  readonly store: ObjectStore
  readonly client: WebhookClient
  readonly expressions: AdmissionExpressions
  readonly logger: Logger
}

const GROUP = 'admissionregistration.k8s.io'

/** The webhooks that are configured now, and asking them. */
export class Webhooks implements Disposable {
  readonly #c: WebhooksComponents
  readonly #subscriptions: readonly Disposable[]
  readonly #conditions = new WeakMap<Webhook, readonly { readonly name: string; readonly run: Expression }[]>()
  #mutating: readonly Webhook[] | undefined
  #validating: readonly Webhook[] | undefined

  constructor(components: WebhooksComponents) {
    this.#c = components
    const { store } = components
    this.#subscriptions = [
      store.subscribe(`${GROUP}/mutatingwebhookconfigurations`, () => (this.#mutating = undefined)),
      store.subscribe(`${GROUP}/validatingwebhookconfigurations`, () => (this.#validating = undefined)),
    ]
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]()
  }

  /** Webhooks to be asked at a point, mutating ones in the order of their configurations' names. */
  at(point: AdmissionPoint): readonly Webhook[] {
    const all = point.phase === 'mutate' ? this.#listMutating() : this.#listValidating()
    return all.filter((webhook) => matchingVersion(webhook.match, point, this.#c.store) !== undefined)
  }

  /** The object after all webhooks; undefined when none changed it. */
  async mutate(point: AdmissionPoint): Promise<KubeObject | undefined> {
    let object = point.object
    let changed = false
    const again: Webhook[] = []
    const round = async (webhooks: readonly Webhook[], first: boolean): Promise<void> => {
      for (const webhook of webhooks) {
        const now: AdmissionPoint = { ...point, object }
        const patched = await this.#ask(webhook, now)
        if (first && webhook.reinvoke) again.push(webhook)
        if (patched === undefined) continue
        object = patched
        changed = true
        // Who was asked before a change may want to look again; who made it needn't.
        if (first) for (const earlier of again) if (earlier !== webhook) pending.add(earlier)
      }
    }
    const pending = new Set<Webhook>()
    await round(this.#listMutating(), true)
    if (pending.size > 0) await round([...pending], false)
    return changed ? object : undefined
  }

  async validate(point: AdmissionPoint): Promise<void> {
    const verdicts = await Promise.allSettled(this.at(point).map((webhook) => this.#ask(webhook, point)))
    for (const verdict of verdicts) if (verdict.status === 'rejected') throw verdict.reason
  }

  /** The changed object if there is one. A refusal, and a failure that isn't to be ignored, is thrown. */
  async #ask(webhook: Webhook, point: AdmissionPoint): Promise<KubeObject | undefined> {
    const { store, client } = this.#c
    const version = matchingVersion(webhook.match, point, store)
    if (version === undefined) return undefined
    const request = admissionRequest(point, version)
    if (!this.#meetsConditions(webhook, point, request)) return undefined
    if (point.context.dryRun && webhook.hasSideEffects)
      throw badRequest(`admission webhook "${webhook.name}" does not support dry run`)
    let body: unknown
    try {
      body = await client.call(webhook, { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request })
    } catch (error) {
      if (!(error instanceof WebhookCallError)) throw error
      return this.#failed(webhook, `failed to call webhook: ${error.message}`)
    }
    const answer = readWebhookAnswer(webhook.name, request['uid'], body)
    if (answer.kind === 'unreadable') return this.#failed(webhook, `received invalid webhook response: ${answer.why}`)
    point.context.warnings.push(...answer.warnings)
    if (answer.kind === 'denied') throw answer.error
    if (answer.patch === undefined || point.object === undefined || point.phase !== 'mutate') return undefined
    const { definition } = point.target
    try {
      const patched = applyJsonPatch(cloneJson(inVersion(point.object, { definition, version })), answer.patch)
      return inVersion(patched as KubeObject, point.target, point.old)
    } catch (error) {
      return this.#failed(webhook, `the patch can't be applied: ${messageOf(error)}`)
    }
  }

  #failed(webhook: Webhook, why: string): undefined {
    const { name, configuration } = webhook
    this.#c.logger.warn('a webhook could not be asked', {
      webhook: name,
      configuration,
      error: why,
      result: webhook.failsOpen ? 'request goes on without it' : 'request refused',
    })
    if (webhook.failsOpen) return undefined
    throw new StatusError(
      500,
      'InternalError',
      `Internal error occurred: failed calling webhook ${JSON.stringify(name)}: ${why}`,
    )
  }

  #meetsConditions(webhook: Webhook, point: AdmissionPoint, request: object): boolean {
    if (webhook.conditions.length === 0) return true
    const { definition, version } = point.target
    const type = definition.type(version)
    const variables = {
      object: expressionObject(type, point.object),
      oldObject: expressionObject(type, point.old),
      request: expressionValue(request),
      authorizer: new CelAuthorizer(this.#c.store, point.context.user),
    }
    const compiled =
      this.#conditions.get(webhook) ??
      webhook.conditions.map(({ name, expression }) => ({ name, run: this.#c.expressions.compile(expression) }))
    this.#conditions.set(webhook, compiled)
    const problems: string[] = []
    for (const { name, run } of compiled) {
      try {
        // One that is false settles it, whatever the others' errors are.
        if (run(variables) !== true) return false
      } catch (error) {
        problems.push(`match condition ${name}: ${messageOf(error)}`)
      }
    }
    if (problems.length === 0) return true
    if (webhook.failsOpen) return false
    throw forbidden(definition.group, definition.resource, point.target.name, problems.join('; '))
  }

  #listMutating(): readonly Webhook[] {
    this.#mutating ??= this.#c.store.list(`${GROUP}/mutatingwebhookconfigurations`).flatMap(webhooksOf)
    return this.#mutating
  }

  #listValidating(): readonly Webhook[] {
    this.#validating ??= this.#c.store.list(`${GROUP}/validatingwebhookconfigurations`).flatMap(webhooksOf)
    return this.#validating
  }
}
