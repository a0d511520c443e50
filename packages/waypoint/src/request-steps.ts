import type { SpiffeId } from '@ambit/core'
import type { RequestDenial, RequestVerdict } from '@ambit/policy'
import type { PipelineSteps } from './pipeline.ts'
import type { RequestState } from './request.types.ts'
import { type ActComponents, act } from './steps/act.ts'
import { authenticate } from './steps/authenticate.ts'
import { type AuthorizeComponents, authorize, customAuthorization } from './steps/authorize.ts'
import { cors } from './steps/cors.ts'
import { edgeHeaders } from './steps/edge-headers.ts'
import { type FaultComponents, fault } from './steps/fault.ts'
import { normalisePath } from './steps/normalise-path.ts'
import { requestFilters } from './steps/request-filters.ts'
import { route } from './steps/route.ts'
import type { Step } from './steps/step.types.ts'
import { treat } from './steps/treat.ts'
import type { TrafficEvents } from './telemetry/traffic-events.ts'
import type { Clusters } from './upstream/clusters.ts'

export interface RequestStepsComponents extends ActComponents, FaultComponents {
  /** Which destination a request is for: that of its tunnel, or of the host it names. */
  readonly identifyDestination: Step
  readonly judge: AuthorizeComponents['judge']
  readonly events: TrafficEvents
  readonly clusters: Clusters
}

/** The steps of the pipeline, each with its components. */
export function requestSteps(
  { identifyDestination, judge, events, clusters, clock, service, random }: RequestStepsComponents,
  options: { readonly ownIdentity: SpiffeId },
): PipelineSteps {
  const authorization: AuthorizeComponents = {
    judge,
    onVerdict: ({ downstream, record, facts, target }: RequestState, verdict: RequestVerdict) => {
      if (facts !== undefined)
        record.judged = { facts, verdict, policies: target?.destination.authorizationPolicies ?? [] }
      events.judged(downstream, record, verdict)
    },
    onDenied: ({ downstream, record }: RequestState, denial: RequestDenial) =>
      events.denied(downstream, record, denial),
  }
  return {
    edgeHeaders,
    identifyDestination,
    normalisePath,
    customAuthorization: customAuthorization(authorization),
    authenticate,
    authorize: authorize(authorization),
    route,
    fault: fault({ clock, random }),
    cors,
    act: act({ service, random }),
    treat: treat(clusters),
    requestFilters: requestFilters(options),
  }
}
