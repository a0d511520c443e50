import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'

interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
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

test('no account of ours may read secrets of other namespaces', (t) => {
  t.true(roles.length >= 3)
  for (const { metadata, rules } of roles)
    t.deepEqual(
      rules.filter(
        ({ apiGroups, resources }) =>
          apiGroups.includes('') && resources.some((kind) => kind === 'secrets' || kind === '*'),
      ),
      [],
      metadata.name,
    )
})

test('nor change what decides about the whole cluster', (t) => {
  const decisive = ['admissionregistration.k8s.io', 'rbac.authorization.k8s.io', 'apiextensions.k8s.io', '*']
  for (const { metadata, rules } of roles) {
    const wide = rules.filter(
      ({ apiGroups, verbs }) =>
        verbs.includes('*') ||
        (apiGroups.some((group) => decisive.includes(group)) &&
          verbs.some((verb) => !['get', 'list', 'watch'].includes(verb))),
    )
    t.deepEqual(wide, [], metadata.name)
  }
})
