import { TYPE_URLS } from '@ambit/api'
import { CompiledRequestPolicies } from '@ambit/policy'
import { ListenerTable } from '@ambit/route'
import { DestinationStore, HttpPolicyStore, type RejectedResource, TrafficPolicyStore } from '@ambit/state'
import type { Told } from './told.ts'

/** What one waypoint or gateway knows, as it decodes what it is told. */
export class ProxyState {
  /** `namespace/name` of its Gateway, or of what it was deployed as. */
  readonly name: string
  readonly destinations: DestinationStore = new DestinationStore()
  readonly policies: HttpPolicyStore = new HttpPolicyStore()
  readonly trafficPolicies: TrafficPolicyStore = new TrafficPolicyStore()
  readonly compiled: CompiledRequestPolicies
  readonly rejected: readonly RejectedResource[]
  #listeners: ListenerTable | undefined

  constructor(name: string, told: Told) {
    this.name = name
    this.compiled = new CompiledRequestPolicies(this.policies)
    const { destinations, policies, trafficPolicies } = this
    const of = (typeUrl: string): Parameters<DestinationStore['applySettings']>[0] => ({
      upserts: told.proxy(typeUrl, name),
      removed: [],
    })
    this.rejected = [
      ...policies.apply(of(TYPE_URLS.httpAuthorization)),
      ...trafficPolicies.applyPolicies({
        upserts: [...told.everybody(TYPE_URLS.trafficPolicy), ...told.proxy(TYPE_URLS.trafficPolicy, name)],
        removed: [],
      }),
      ...trafficPolicies.applyMembers({
        upserts: [...told.everybody(TYPE_URLS.subsetMember), ...told.proxy(TYPE_URLS.subsetMember, name)],
        removed: [],
      }),
      ...destinations.applyDestinations(of(TYPE_URLS.destination)),
      ...destinations.applySettings(of(TYPE_URLS.waypointSettings)),
    ]
    if (destinations.settings !== undefined) this.compiled.setTrustDomains(destinations.settings)
  }

  get namespace(): string {
    return this.name.slice(0, this.name.indexOf('/'))
  }

  get listeners(): ListenerTable {
    return (this.#listeners ??= new ListenerTable(this.destinations.settings?.listeners ?? []))
  }
}
