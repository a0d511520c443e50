import { authorize, rulesFor } from '../auth/rbac.ts'
import { ISSUER, type ServiceAccountTokens } from '../auth/service-account-tokens.ts'
import type { JsonObject } from '../json.ts'
import { arrayOf, at, objectOf, textOf } from '../json.ts'
import type { UserInfo } from '../resources/request-context.ts'
import { badRequest, noSuchResource } from '../status-error.ts'
import type { ObjectStore } from '../store/object-store.ts'

export interface ReviewComponents {
  readonly store: ObjectStore
  readonly tokens: ServiceAccountTokens
  /** User of the administrator's token, if it is that. */
  readonly adminUser: (token: string) => UserInfo | undefined
}

/** Answers the kinds that are questions: whose token, may they. */
export function answerReview(
  components: ReviewComponents,
  resource: string,
  namespace: string,
  user: UserInfo,
  review: JsonObject,
): JsonObject {
  const spec = objectOf(review['spec'])
  switch (resource) {
    case 'tokenreviews':
      return {
        ...review,
        kind: 'TokenReview',
        apiVersion: 'authentication.k8s.io/v1',
        status: tokenStatus(components, spec),
      }
    case 'selfsubjectreviews':
      return {
        ...review,
        kind: 'SelfSubjectReview',
        apiVersion: 'authentication.k8s.io/v1',
        status: { userInfo: user },
      }
    case 'selfsubjectaccessreviews':
      return accessReview('SelfSubjectAccessReview', components, review, user, namespace)
    case 'subjectaccessreviews':
    case 'localsubjectaccessreviews': {
      const groups = arrayOf(spec['groups']).filter((group) => typeof group === 'string')
      const subject = { username: textOf(spec['user'] ?? ''), groups }
      if (subject.username === '' && groups.length === 0)
        throw badRequest('spec.user: at least one of user or group must be specified')
      const kind = resource === 'subjectaccessreviews' ? 'SubjectAccessReview' : 'LocalSubjectAccessReview'
      return accessReview(kind, components, review, subject, namespace)
    }
    case 'selfsubjectrulesreviews': {
      const rules = rulesFor(components.store, user, textOf(spec['namespace'] ?? 'default')).flatMap(
        (item) => item.rules,
      )
      const isMaster = user.groups.includes('system:masters')
      const everything = [
        { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
        { nonResourceURLs: ['*'], verbs: ['*'] },
      ]
      const all = isMaster ? [...everything, ...rules] : rules
      const resourceRules = all.filter((rule) => at(rule, 'resources') !== undefined)
      const nonResourceRules = all.filter((rule) => at(rule, 'nonResourceURLs') !== undefined)
      const status = { incomplete: false, resourceRules, nonResourceRules }
      return { ...review, kind: 'SelfSubjectRulesReview', apiVersion: 'authorization.k8s.io/v1', status }
    }
    default:
      throw noSuchResource()
  }
}

function tokenStatus({ tokens, adminUser }: ReviewComponents, spec: JsonObject): JsonObject {
  const { token } = spec
  if (typeof token !== 'string' || token === '') return { authenticated: false, error: 'no token in the review' }
  const admin = adminUser(token)
  if (admin !== undefined) return { authenticated: true, user: admin, audiences: [ISSUER] }
  const asked = arrayOf(spec['audiences']).filter((item) => typeof item === 'string')
  const verdict = tokens.review(token, asked.length > 0 ? asked : [ISSUER])
  if (!verdict.ok) return { authenticated: false, user: {}, error: `[invalid bearer token, ${verdict.why}]` }
  return { authenticated: true, user: verdict.user, audiences: verdict.audiences }
}

function accessReview(
  kind: string,
  { store }: ReviewComponents,
  review: JsonObject,
  subject: UserInfo,
  namespace: string,
): JsonObject {
  const spec = objectOf(review['spec'])
  const attributes = spec['resourceAttributes']
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  const resource =
    attributes === undefined
      ? undefined
      : {
          group: text(at(attributes, 'group')),
          resource: text(at(attributes, 'resource')),
          subresource: text(at(attributes, 'subresource')),
          namespace: text(at(attributes, 'namespace')) || namespace,
          name: text(at(attributes, 'name')),
        }
  const verb = text(at(attributes ?? spec['nonResourceAttributes'], 'verb'))
  const path = text(at(spec['nonResourceAttributes'], 'path'))
  const verdict = authorize(store, subject, { verb, resource, path })
  const status = { allowed: verdict.allowed, ...(verdict.reason === '' ? {} : { reason: verdict.reason }) }
  return { ...review, kind, apiVersion: 'authorization.k8s.io/v1', status }
}
