import type { ServiceAccountTokens } from '../auth/service-account-tokens.ts'
import type { KubeObject } from '../contract.types.ts'
import { arrayOf, at, isObject, type JsonObject, objectOf, textOf } from '../json.ts'
import type { ApiService } from '../resources/api-service.ts'
import type { RequestContext } from '../resources/request-context.ts'
import type { Target } from '../resources/target.ts'
import { badRequest, conflict, notFound } from '../status-error.ts'

/** POST serviceaccounts/token. */
export function requestToken(
  service: ApiService,
  tokens: ServiceAccountTokens,
  namespace: string,
  name: string,
  body: JsonObject,
): JsonObject {
  const spec = objectOf(body['spec'])
  const audiences = arrayOf(spec['audiences']).filter((item) => typeof item === 'string')
  const seconds = spec['expirationSeconds']
  const bound = spec['boundObjectRef']
  let pod: { name: string; uid: string } | undefined
  let node: { name: string; uid: string } | undefined
  if (isObject(bound)) {
    if (bound['kind'] !== 'Pod') throw badRequest(`cannot bind token to object of type ${String(bound['kind'])}`)
    const live = service.store.get('/pods', namespace, String(bound['name']))
    if (live === undefined) throw notFound('', 'pods', String(bound['name']))
    if (bound['uid'] && bound['uid'] !== live.metadata.uid)
      throw conflict(
        '',
        'pods',
        String(bound['name']),
        'the UID in the bound object reference does not match the UID in record',
      )
    pod = { name: live.metadata.name ?? '', uid: live.metadata.uid ?? '' }
    const nodeName = at(live, 'spec', 'nodeName')
    const host = typeof nodeName === 'string' ? service.store.get('/nodes', undefined, nodeName) : undefined
    if (host !== undefined) node = { name: host.metadata.name ?? '', uid: host.metadata.uid ?? '' }
  }
  const expirationSeconds = typeof seconds === 'number' ? seconds : undefined
  const issued = tokens.issue({ namespace, serviceAccount: name, audiences, expirationSeconds, pod, node })
  return {
    ...body,
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    spec: { ...spec, expirationSeconds: seconds ?? 3600 },
    status: issued,
  }
}

/** POST pods/binding: the scheduler's decision. */
export function bindPod(service: ApiService, target: Target, body: JsonObject, context: RequestContext): JsonObject {
  const nodeName = at(body, 'target', 'name')
  if (typeof nodeName !== 'string' || nodeName === '') throw badRequest('target.name: Required value')
  service.patch(
    target,
    (pod: KubeObject) => {
      const spec = objectOf(pod['spec'])
      if (spec['nodeName'] && spec['nodeName'] !== nodeName)
        throw conflict(
          '',
          'pods',
          target.name,
          `pod ${target.name} is already assigned to node "${textOf(spec['nodeName'])}"`,
        )
      return { ...pod, metadata: { ...pod.metadata, resourceVersion: undefined }, spec: { ...spec, nodeName } }
    },
    context,
  )
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }
}
