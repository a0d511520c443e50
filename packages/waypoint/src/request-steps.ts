import type { SpiffeId } from '@ambit/core'
import type { RequestDenial, RequestVerdict } from '@ambit/policy'
import type { PipelineSteps } from './pipeline.ts'
import type { RequestState } from './request.types.ts'
import { authenticate } from './steps/authenticate.ts'
import { type AuthorizeComponents, authorize, customAuthorization } from './steps/authorize.ts'
import { identifyDestination } from './steps/identify-destination.ts'
import { normalisePath } from './steps/normalise-path.ts'
import { requestFilters } from './steps/request-filters.ts'
import { type RouteComponents, route } from './steps/route.ts'
import type { TrafficEvents } from './telemetry/traffic-events.ts'
import type { TrafficLookup } from './traffic-lookup.ts'

export interface RequestStepsComponents extends RouteComponents {
  readonly lookup: TrafficLookup
  readonly judge: AuthorizeComponents['judge']
  readonly events: TrafficEvents
}

/** The steps of the pipeline, each with its components. */
export function requestSteps(
  { lookup, judge, events, service, random }: RequestStepsComponents,
  options: { readonly ownIdentity: SpiffeId },
): PipelineSteps {
  const authorization: AuthorizeComponents = {
    judge,
    onVerdict: ({ tunnel, record }: RequestState, verdict: RequestVerdict) => events.judged(tunnel, record, verdict),
    onDenied: ({ tunnel, record }: RequestState, denial: RequestDenial) => events.denied(tunnel, record, denial),
  }
  return {
    identifyDestination: identifyDestination((tunnel) => lookup.target(tunnel)),
    normalisePath,
    customAuthorization: customAuthorization(authorization),
    authenticate,
    authorize: authorize(authorization),
    route: route({ service, random }),
    requestFilters: requestFilters(options),
  }
}
