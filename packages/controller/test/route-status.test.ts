import type { KubeObject } from '@ambit/kube'
import test from 'ava'
import type { RouteParentStatus } from '../src/index/route-status.ts'
import { parentsToWrite } from '../src/status/route-status.ts'
import { decodeHttpRoute } from '../src/watch/decode-route.ts'
import * as make from './support/objects.ts'

const NOW = Date.parse('2026-02-01T00:00:00Z')
const parentRef = { group: '', kind: 'Service', name: 's' }
const [parent] = decodeHttpRoute(make.httpRoute('a/r', { parentRefs: [parentRef] })).parents
const ours = (status: 'True' | 'False'): readonly RouteParentStatus[] =>
  parent === undefined
    ? []
    : [{ parent, conditions: [{ type: 'Accepted', status, reason: 'Accepted', message: 'm'.repeat(40_000) }] }]
const entry = (controllerName: string, more: object = {}): object => ({
  parentRef,
  controllerName,
  conditions: [],
  ...more,
})
const route = (...parents: readonly object[]): KubeObject => {
  const object: KubeObject & { readonly status: unknown } = {
    ...make.httpRoute('a/r', {}, { metadata: { generation: 3 } }),
    status: { parents },
  }
  return object
}

test('what other controllers say stays, and what is said of kinds that are not ours', (t) => {
  const others = [
    entry('example.org/other'),
    entry('istio.io/gateway-controller', { parentRef: { kind: 'Mesh', name: 'g' } }),
  ]
  const written = parentsToWrite(route(...others), ours('True'), NOW)
  t.deepEqual(written?.slice(0, 2), others)
  t.like(written?.[2], {
    parentRef,
    conditions: [{ status: 'True', observedGeneration: 3, lastTransitionTime: '2026-02-01T00:00:00Z' }],
  })
})

test('what is said already is not said again, a message has an end, a change has its time', (t) => {
  const first = parentsToWrite(route(), ours('True'), NOW) ?? []
  t.is((first[0] as { conditions: { message: string }[] }).conditions[0]?.message.length, 32_768)
  t.is(parentsToWrite(route(...first), ours('True'), NOW + 5_000), undefined)
  t.like(parentsToWrite(route(...first), ours('False'), NOW + 5_000)?.[0], {
    conditions: [{ status: 'False', lastTransitionTime: '2026-02-01T00:00:05Z' }],
  })
})

test('a route that left the mesh loses what was said of it', (t) => {
  const first = parentsToWrite(route(), ours('True'), NOW) ?? []
  t.deepEqual(parentsToWrite(route(...first, entry('example.org/other')), [], NOW), [entry('example.org/other')])
  t.is(parentsToWrite(route(), [], NOW), undefined)
})
