import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../../src/apiserver/api-core.ts'
import { impersonate } from '../../src/apiserver/auth/impersonate.ts'
import { type AccessQuestion, authorize } from '../../src/apiserver/auth/rbac.ts'
import { internalContext, type UserInfo } from '../../src/apiserver/resources/request-context.ts'
import { silent } from './harness.ts'

const RBAC = 'rbac.authorization.k8s.io'
const BOB: UserInfo = { username: 'bob', groups: ['system:authenticated'] }

function setUp() {
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: '' })
  const write = (resource: string, object: Record<string, unknown>, user?: UserInfo) => {
    const definition = core.registry.findResource(RBAC, resource)
    if (definition === undefined) throw new Error(resource)
    const namespace = definition.namespaced ? 'default' : undefined
    const body = { apiVersion: `${RBAC}/v1`, kind: definition.kind, ...object }
    const context = internalContext('test')
    return core.service.create(
      { definition, version: 'v1', namespace, name: '' },
      body,
      user === undefined ? context : { ...context, user },
    )
  }
  const may = (user: UserInfo, verb: string, path: string, namespace = 'default', name = '') => {
    const [group = '', resource = '', subresource = ''] = path.split('/')
    return authorize(core.store, user, { verb, resource: { group, resource, subresource, namespace, name }, path: '' })
      .allowed
  }
  const bind = (user: string, role: string, namespaced = true) =>
    write(namespaced ? 'rolebindings' : 'clusterrolebindings', {
      metadata: { name: `${user}-${role.replaceAll(':', '-')}` },
      roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', name: user, apiGroup: RBAC }],
    })
  return { core, write, may, bind }
}

const role = (name: string, rules: readonly unknown[], more: Record<string, unknown> = {}) => ({
  metadata: { name, ...more },
  rules,
})

test('view reads no secrets, edit writes them, admin gives roles; each is the sum of what is labelled for it', (t) => {
  const { core, write, may, bind } = setUp()
  using _core = core
  for (const name of ['view', 'edit', 'admin']) bind(name, name)
  const as = (username: string): UserInfo => ({ username, groups: ['system:authenticated'] })
  const asked = [
    ['get', '/pods'],
    ['get', '/pods/log'],
    ['get', '/secrets'],
    ['create', 'apps/deployments'],
    ['update', 'apps/deployments/scale'],
    ['create', '/pods/exec'],
    ['create', `${RBAC}/roles`],
    ['get', '/nodes'],
  ] as const
  const answers = (user: string): string =>
    asked.map(([verb, path]) => (may(as(user), verb, path) ? 'y' : 'n')).join('')
  t.is(answers('view'), 'yynnnnnn')
  t.is(answers('edit'), 'yyyyyynn')
  t.is(answers('admin'), 'yyyyyyyn')
  t.false(may(as('admin'), 'get', '/pods', 'elsewhere'))
  t.false(may(as('view'), 'get', 'example.com/things'))
  const labels = { [`${RBAC}/aggregate-to-view`]: 'true' }
  write(
    'clusterroles',
    role('things', [{ apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }], { labels }),
  )
  t.true(may(as('view'), 'get', 'example.com/things'))
  t.true(may(as('admin'), 'get', 'example.com/things'))
  const definition = core.registry.findResource(RBAC, 'clusterroles')
  if (definition === undefined) throw new Error('clusterroles')
  core.service.delete({ definition, version: 'v1', namespace: undefined, name: 'things' }, {}, internalContext('test'))
  t.false(may(as('admin'), 'get', 'example.com/things'))
})

test('nobody gives what they do not hold, unless they may escalate or bind', (t) => {
  const { core, write, bind } = setUp()
  using _core = core
  bind('bob', 'admin')
  const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get'] }
  write('roles', role('held', [pods]), BOB)
  const error = t.throws(() => write('roles', role('more', [pods, { ...pods, resources: ['nodes'] }]), BOB))
  t.is(
    error?.message,
    'roles.rbac.authorization.k8s.io "more" is forbidden: user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}',
  )
  t.throws(() => write('roles', role('stars', [{ ...pods, verbs: ['*'] }]), BOB), { message: /not currently held/ })
  const toAdmin = (name: string, clusterRole: string) => ({
    metadata: { name },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: clusterRole },
    subjects: [{ kind: 'User', name: 'eve', apiGroup: RBAC }],
  })
  write('rolebindings', toAdmin('fine', 'edit'), BOB)
  t.throws(() => write('rolebindings', toAdmin('root', 'cluster-admin'), BOB), { message: /not currently held/ })
  write(
    'clusterroles',
    role('binder', [
      { apiGroups: [RBAC], resources: ['clusterroles'], resourceNames: ['cluster-admin'], verbs: ['bind'] },
    ]),
  )
  bind('bob', 'binder')
  write('rolebindings', toAdmin('root', 'cluster-admin'), BOB)
  write('clusterroles', role('escalator', [{ apiGroups: [RBAC], resources: ['roles'], verbs: ['escalate'] }]))
  bind('bob', 'escalator')
  write('roles', role('stars', [{ ...pods, verbs: ['*'] }]), BOB)
  t.pass()
})

test('rules by name, subresource and path are no wider than they say', (t) => {
  const { core, write, may, bind } = setUp()
  using _core = core
  write(
    'clusterroles',
    role('narrow', [
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['one'], verbs: ['get', 'list'] },
      { apiGroups: ['apps'], resources: ['*/scale'], verbs: ['patch'] },
      { nonResourceURLs: ['/logs/*'], verbs: ['get'] },
    ]),
  )
  bind('bob', 'narrow', false)
  t.true(may(BOB, 'get', '/secrets', 'default', 'one'))
  t.false(may(BOB, 'get', '/secrets', 'default', 'two'))
  t.false(may(BOB, 'list', '/secrets'))
  t.true(may(BOB, 'patch', 'apps/deployments/scale'))
  t.false(may(BOB, 'patch', 'apps/deployments'))
  const path = (text: string): AccessQuestion => ({ verb: 'get', path: text })
  t.true(authorize(core.store, BOB, path('/logs/x')).allowed)
  t.false(authorize(core.store, BOB, path('/metrics')).allowed)
})

test('acting for another takes a rule for the user, each group, the uid and each extra', (t) => {
  const { core, write, bind } = setUp()
  using _core = core
  const headers = {
    'impersonate-user': ['eve'],
    'impersonate-uid': ['7'],
    'impersonate-extra-acme.com%2fproject': ['p'],
  }
  t.throws(() => impersonate(core.store, BOB, headers), { message: /cannot impersonate resource "users"/ })
  write(
    'clusterroles',
    role('as-eve', [{ apiGroups: [''], resources: ['users'], resourceNames: ['eve'], verbs: ['impersonate'] }]),
  )
  bind('bob', 'as-eve', false)
  t.throws(() => impersonate(core.store, BOB, headers), { message: /"uids" in API group "authentication.k8s.io"/ })
  write(
    'clusterroles',
    role('as-eve-too', [
      {
        apiGroups: ['authentication.k8s.io'],
        resources: ['uids', 'userextras/acme.com/project'],
        verbs: ['impersonate'],
      },
    ]),
  )
  bind('bob', 'as-eve-too', false)
  t.deepEqual(impersonate(core.store, BOB, headers), {
    username: 'eve',
    uid: '7',
    extra: { 'acme.com/project': ['p'] },
    groups: ['system:authenticated'],
  })
})
