import { HttpPolicyStore } from '@ambit/state'
import test from 'ava'
import { type HttpAuthorizationInit, httpAuthorizationResource } from '../../testing/src/resources.ts'
import { CompiledRequestPolicies } from '../src/index.ts'

function policies(rules: NonNullable<HttpAuthorizationInit['rules']>, store = new HttpPolicyStore()) {
  store.apply({ removed: [], upserts: [httpAuthorizationResource({ namespace: 'shop', name: 'p', rules })] })
  return { store, compiled: new CompiledRequestPolicies(store) }
}

const NAMES = ['shop/p', 'shop/unknown']

test('headers and claims that rules ask about, and no others', (t) => {
  const { compiled } = policies([
    {
      from: [{ requestPrincipals: ['*'] }],
      to: [{ methods: ['GET'] }],
      when: [
        { key: 'request.headers[X-Tenant]', values: ['a'] },
        { key: 'request.headers[b]', notValues: ['c'] },
        { key: 'request.auth.claims[groups][name]', values: ['x'] },
        { key: 'source.namespace', values: ['y'] },
      ],
    },
    { when: [{ key: 'request.auth.audiences', values: ['x'] }] },
    { when: [{ key: 'request.auth.presenter', values: ['x'] }] },
  ])
  t.deepEqual(compiled.fieldsRead(NAMES), {
    headers: ['b', 'x-tenant'],
    claims: ['aud', 'azp', 'groups', 'iss', 'sub'],
  })
})

test('what is read follows the policies', (t) => {
  const { store, compiled } = policies([{ when: [{ key: 'request.headers[a]', values: ['1'] }] }])
  t.deepEqual(compiled.fieldsRead(NAMES), { headers: ['a'], claims: [] })
  policies([{ to: [{ paths: ['/x'] }] }], store)
  t.deepEqual(compiled.fieldsRead(NAMES), { headers: [], claims: [] })
})
