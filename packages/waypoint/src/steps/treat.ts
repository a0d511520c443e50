import { randomUUID } from 'node:crypto'
import { bindingCookie, hashKeyOf } from '@ambit/route'
import type { HashOf } from '@ambit/state'
import { CLUSTER_NOT_FOUND, type LocalReply } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'
import type { Clusters } from '../upstream/clusters.ts'
import type { Step } from './step.types.ts'

/** How DestinationRules want the request's endpoint chosen and its number bounded. */
export function treat(clusters: Clusters): Step {
  return {
    name: 'treat',
    run: (state) => {
      const { upstream } = state
      if (upstream?.to.kind !== 'service') return undefined
      const found = clusters.find(upstream.to, upstream.rules)
      switch (found.kind) {
        case 'none':
          return undefined
        case 'missing':
          return { ...CLUSTER_NOT_FOUND, transportFailure: found.message }
        case 'refused':
          return refused(found.message)
        case 'found': {
          const { hashOf } = found.cluster.treatment
          state.treated = { cluster: found.cluster, hashKey: hashOf && keyFor(state, hashOf) }
          return undefined
        }
      }
    },
  }
}

function refused(why: string): LocalReply {
  return {
    status: 503,
    body: `refused by the DestinationRule: ${why}`,
    flag: 'UF',
    details: 'destination_rule_refuses',
  }
}

/** A client without the cookie is given one, if that is wanted. */
function keyFor(state: RequestState, hashOf: HashOf): string | undefined {
  const { downstream, query = '', header = () => undefined } = state
  const key = hashKeyOf(hashOf, { query, header, sourceIp: downstream.remote.ip })
  if (key !== undefined || hashOf.kind !== 'cookie' || hashOf.ttlSeconds === undefined) return key
  const fresh = randomUUID()
  state.answerHeaders = [...(state.answerHeaders ?? []), 'set-cookie', bindingCookie(hashOf, fresh)]
  return fresh
}
