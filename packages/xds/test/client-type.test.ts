import { discoverypb } from '@ambit/api'
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { ClientType } from '../src/client-type.ts'
import { atOnce, responseOf } from './response-of.ts'

const TYPE = 'type.googleapis.com/test'
const NODE = create(discoverypb.NodeSchema, { id: 'n' })

/** A client that refuses what is called bad. */
function setUp() {
  const type = new ClientType({
    typeUrl: TYPE,
    mode: 'wildcard',
    apply: ({ upserts }) =>
      upserts.filter(({ bytes }) => bytes.length === 0).map(({ name }) => ({ name, reason: 'empty' })),
  })
  const say = (resources: readonly [name: string, version: string, good: boolean][], removed: string[] = []) =>
    atOnce(
      type.apply(
        responseOf({
          typeUrl: TYPE,
          nonce: '1',
          resources: resources.map(([name, version, good]) => ({
            name,
            version,
            resource: { typeUrl: TYPE, value: Uint8Array.from(good ? [1] : []) },
          })),
          removedResources: removed,
        }),
      ),
    )
  return { type, say, versions: () => ({ ...type.initialRequest(NODE).initialResourceVersions }) }
}

test('a client that reconnects names what it holds in the version it holds', (t) => {
  const { say, versions } = setUp()
  say([
    ['a', '1', true],
    ['b', '1', true],
  ])
  say([['a', '2', true]], ['b'])
  t.deepEqual(versions(), { a: '2' })
})

test('a refused resource is named in no version, so that it is sent again', (t) => {
  const { say, versions } = setUp()
  const { answer, rejected } = say([
    ['a', '1', false],
    ['b', '1', true],
  ])
  t.deepEqual(rejected, [{ name: 'a', reason: 'empty' }])
  t.regex(answer.errorDetail?.message ?? '', /a: empty/)
  t.deepEqual(versions(), { a: '', b: '1' })
})

test('what was refused and held in no version is named until it is good or gone, so that its removal is told', (t) => {
  const { say, versions } = setUp()
  say([
    ['a', '1', false],
    ['b', '1', false],
  ])
  say([['a', '2', true]])
  t.deepEqual(versions(), { a: '2', b: '' })
  say([], ['b'])
  t.deepEqual(versions(), { a: '2' })
})

test('what stays in use after a newer version was refused is named in the older one, so that its removal is told', (t) => {
  const { say, versions } = setUp()
  say([['a', '1', true]])
  say([['a', '2', false]])
  t.deepEqual(versions(), { a: '1' })
  say([], ['a'])
  t.deepEqual(versions(), {})
})

test('only a response that was accepted whole counts as the first', (t) => {
  const { type, say } = setUp()
  say([['a', '1', false]])
  t.false(type.acked)
  say([])
  t.true(type.acked)
})
