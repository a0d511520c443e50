import test from 'ava'
import * as fc from 'fast-check'
import { decodeResources, ResourceIndex } from '../src/cluster/resource-index.ts'

const CORE = {
  resources: [
    { name: 'pods', kind: 'Pod', namespaced: true },
    { name: 'pods/log', kind: 'Pod', namespaced: true },
    { name: 'nodes', kind: 'Node', namespaced: false },
  ],
}

test('a kind is found by its group version, and each group version is asked once', async (t) => {
  const asked: string[] = []
  const index = new ResourceIndex((path) => {
    asked.push(path)
    return Promise.resolve(CORE)
  })
  t.deepEqual(await index.find('v1', 'Pod'), { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true })
  t.false((await index.find('v1', 'Node')).namespaced)
  await index.find('apps/v1', 'Pod')
  t.deepEqual(asked, ['/api/v1', '/apis/apps/v1'])
})

test('a kind that is not served yet is asked for again', async (t) => {
  let served: object = { resources: [] }
  const index = new ResourceIndex(() => Promise.resolve(served))
  await t.throwsAsync(index.find('x.io/v1', 'Pod'), {
    code: 'CLI_NOT_SERVED',
    message: /does not serve Pod of x\.io\/v1/,
  })
  served = CORE
  t.is((await index.find('x.io/v1', 'Pod')).plural, 'pods')
})

test('a failed discovery is not remembered', async (t) => {
  let fails = true
  const index = new ResourceIndex(() => (fails ? Promise.reject(new Error('down')) : Promise.resolve(CORE)))
  await t.throwsAsync(index.find('v1', 'Pod'), { message: 'down' })
  fails = false
  t.is((await index.find('v1', 'Pod')).plural, 'pods')
})

test('any JSON decodes without throwing', (t) => {
  fc.assert(fc.property(fc.jsonValue(), (value) => t.true(Array.isArray(decodeResources('v1', value)))))
})
