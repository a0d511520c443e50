import type { KubeObject } from '../contract.types.ts'
import type { Admission } from '../resources/admitted-service.ts'
import type { AdmissionPoint } from '../resources/writing.ts'
import type { AdmissionPolicies } from './policies.ts'
import type { Webhooks } from './webhooks.ts'

/** Asks webhooks and policies, in Kubernetes' order: mutating webhooks, then policies, then validating webhooks. */
export class AdmissionChain implements Admission {
  readonly #webhooks: Webhooks
  readonly #policies: AdmissionPolicies

  constructor(webhooks: Webhooks, policies: AdmissionPolicies) {
    this.#webhooks = webhooks
    this.#policies = policies
  }

  decide(point: AdmissionPoint): Promise<KubeObject | undefined> | undefined {
    // Else a broken webhook could never be taken out again.
    if (point.target.definition.group === 'admissionregistration.k8s.io') return undefined
    if (point.phase === 'mutate')
      return this.#webhooks.at(point).length === 0 ? undefined : this.#webhooks.mutate(point)
    this.#policies.check(point)
    return this.#webhooks.at(point).length === 0 ? undefined : this.#webhooks.validate(point).then(() => undefined)
  }
}
