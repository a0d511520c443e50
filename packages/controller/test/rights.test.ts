import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

const folder = join(import.meta.dirname, '../../../deploy/manifests')
const roles = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), 'utf8')))
  .map(
    (document) =>
      document.toJS() as {
        readonly kind: string
        readonly metadata: { readonly name: string }
        readonly rules: readonly Rule[]
      },
  )
  .filter(({ kind }) => kind === 'ClusterRole')

const CREDENTIALS_ROLE = 'istiod-gateway-credentials-istio-system'

test('no account of ours may write secrets of other namespaces, and one role alone, which can be left out, reads them', (t) => {
  t.true(roles.length >= 3)
  for (const { metadata, rules } of roles) {
    const about = rules.filter(
      ({ apiGroups, resources }) =>
        apiGroups.includes('') && resources.some((kind) => kind === 'secrets' || kind === '*'),
    )
    const allowed =
      metadata.name === CREDENTIALS_ROLE
        ? [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }]
        : []
    t.deepEqual(about, allowed, metadata.name)
  }
  t.is(roles.find(({ metadata }) => metadata.name === CREDENTIALS_ROLE)?.rules.length, 1)
})

/** Two webhooks by name, and no other: their authority has to be written into them. */
const OF_WEBHOOKS: Rule = {
  apiGroups: ['admissionregistration.k8s.io'],
  resources: ['validatingwebhookconfigurations'],
  resourceNames: ['istio-validator-istio-system', 'istiod-default-validator'],
  verbs: ['get', 'update'],
}

test('nor change what decides about the whole cluster, but for the webhooks of the mesh itself', (t) => {
  const decisive = ['admissionregistration.k8s.io', 'rbac.authorization.k8s.io', 'apiextensions.k8s.io', '*']
  for (const { metadata, rules } of roles) {
    const wide = rules.filter(
      ({ apiGroups, verbs }) =>
        verbs.includes('*') ||
        (apiGroups.some((group) => decisive.includes(group)) &&
          verbs.some((verb) => !['get', 'list', 'watch'].includes(verb))),
    )
    t.deepEqual(wide, metadata.name === 'istiod-clusterrole-istio-system' ? [OF_WEBHOOKS] : [], metadata.name)
  }
})
