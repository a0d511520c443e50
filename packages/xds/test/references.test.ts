// What a stream says in which order when resources of one type name those of another.
import { discoverypb } from '@ambit/api'
import { silentLogger } from '@ambit/core'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import test from 'ava'
import fc from 'fast-check'
import type { PushedResponse } from '../src/encode-response.ts'
import { ResourceTable } from '../src/resource-table.ts'
import { ServerStream, type ServerStreamComponents } from '../src/server-stream.ts'

const NAMED = 'type.example/policy'
const NAMING = 'type.example/destination'
const noTimers: ServerStreamComponents['clock'] = {
  now: () => 0,
  monotonic: () => 0,
  after: () => ({ [Symbol.dispose]: () => undefined }),
  sleep: () => Promise.resolve(),
}

/** A client that holds what it was told; a destination's content is the name of its policy. */
class Client {
  readonly table = new ResourceTable()
  readonly said: string[] = []
  readonly stream: ServerStream
  readonly #unanswered: PushedResponse[] = []
  readonly #policies = new Map<string, string>()
  readonly #destinations = new Map<string, string>()

  constructor() {
    this.stream = new ServerStream(
      {
        source: this.table,
        clock: noTimers,
        logger: silentLogger,
        send: (response) => this.#take(response),
        onStuck: () => undefined,
        onNack: () => undefined,
      },
      { ackTimeoutMs: 1000, references: { [NAMING]: [NAMED] } },
    )
    this.table.subscribe((typeUrl, change) => this.stream.note(typeUrl, change))
    for (const typeUrl of [NAMING, NAMED]) this.#ask({ typeUrl })
    this.answer()
  }

  /** Policies and destinations named by their number; a destination names the policy of its content. */
  put(typeUrl: string, name: string, content: string): void {
    this.table.update(typeUrl, { upserts: [{ name, bytes: new TextEncoder().encode(content) }] })
  }

  remove(typeUrl: string, name: string): void {
    this.table.update(typeUrl, { removed: [name] })
  }

  /** Answers all there is, also what comes of it, or only so many. */
  answer(count: number = Number.POSITIVE_INFINITY): void {
    for (let i = 0; i < count; i++) {
      const response = this.#unanswered.shift()
      if (response === undefined) return
      this.#ask({ typeUrl: response.typeUrl, responseNonce: response.nonce })
    }
  }

  get holds(): Readonly<Record<string, readonly string[]>> {
    return { policies: [...this.#policies.keys()].sort(), destinations: [...this.#destinations.keys()].sort() }
  }

  /** Policies that something held names and that are not held. */
  get missing(): readonly string[] {
    return [...this.#destinations.values()].filter((policy) => !this.#policies.has(policy))
  }

  #take(response: PushedResponse): void {
    const { typeUrl, resources, removedResources } = response
    const held = typeUrl === NAMED ? this.#policies : this.#destinations
    for (const { name, bytes } of resources) held.set(name, new TextDecoder().decode(bytes))
    for (const name of removedResources) held.delete(name)
    const names = [...resources.map(({ name }) => `+${name}`), ...removedResources.map((name) => `-${name}`)]
    if (names.length > 0) this.said.push(names.join())
    this.#unanswered.push(response)
  }

  #ask(init: MessageInitShape<typeof discoverypb.DeltaDiscoveryRequestSchema>): void {
    this.stream.onRequest(create(discoverypb.DeltaDiscoveryRequestSchema, init))
  }
}

function withPolicy(): Client {
  const client = new Client()
  client.put(NAMED, 'p', '1')
  client.put(NAMING, 'd', 'p')
  client.stream.flush()
  client.answer()
  client.said.length = 0
  return client
}

test('what is named comes first', (t) => {
  const client = new Client()
  client.put(NAMING, 'd', 'p')
  client.put(NAMED, 'p', '1')
  client.stream.flush()
  t.deepEqual(client.said, ['+p', '+d'])
})

test('it comes first also while the client has an earlier answer to give', (t) => {
  const client = withPolicy()
  client.put(NAMED, 'q', '1')
  client.stream.flush()
  client.put(NAMED, 'r', '1')
  client.put(NAMING, 'd', 'r')
  client.stream.flush()
  t.deepEqual(client.said, ['+q'])
  client.answer(1)
  t.deepEqual(client.said, ['+q', '+r', '+d'])
})

test('it goes when the client has answered that nothing names it any more', (t) => {
  const client = withPolicy()
  client.put(NAMED, 'q', '1')
  client.put(NAMING, 'd', 'q')
  client.remove(NAMED, 'p')
  client.stream.flush()
  t.deepEqual(client.said, ['+q', '+d'])
  client.answer(1)
  t.deepEqual(client.said, ['+q', '+d'], 'only the policies were answered')
  client.answer()
  t.deepEqual(client.said, ['+q', '+d', '-p'])
})

test('what nothing names goes at once, what came back stays', (t) => {
  const client = withPolicy()
  client.put(NAMED, 'q', '1')
  client.stream.flush()
  client.answer()
  client.remove(NAMED, 'q')
  client.stream.flush()
  client.answer()
  client.put(NAMING, 'd', 'x')
  client.remove(NAMED, 'p')
  client.stream.flush()
  client.put(NAMED, 'p', '1')
  client.stream.flush()
  client.answer()
  t.deepEqual(client.said, ['+q', '-q', '+d', '+p'])
})

test('others that keep changing hold nothing up for long', (t) => {
  const client = withPolicy()
  client.remove(NAMED, 'p')
  for (let i = 0; client.holds['policies']?.length !== 0; i++) {
    client.put(NAMING, 'd', `none${i}`)
    client.stream.flush()
    client.put(NAMING, 'd', `still none${i}`)
    client.answer(1)
    t.true(i < 3)
  }
})

test('whatever is published, nothing held ever names what is not held, and in the end all is told', (t) => {
  const name = fc.constantFrom('p', 'q')
  const step = fc.oneof(
    fc.record({ kind: fc.constant('move' as const), from: name, to: name }),
    fc.record({ kind: fc.constant('remove' as const), name }),
    fc.record({ kind: fc.constant('flush' as const) }),
    fc.record({ kind: fc.constant('answer' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const client = new Client()
      for (const one of steps) {
        switch (one.kind) {
          case 'move':
            client.put(NAMED, one.to, '1')
            client.put(NAMING, 'd', one.to)
            if (one.from !== one.to) client.remove(NAMED, one.from)
            break
          case 'remove':
            client.remove(NAMING, 'd')
            client.remove(NAMED, one.name)
            break
          case 'flush':
            client.stream.flush()
            break
          case 'answer':
            client.answer(1)
        }
        t.deepEqual(client.missing, [])
      }
      client.stream.flush()
      client.answer()
      t.deepEqual(client.holds, {
        policies: [...client.table.snapshot(NAMED).keys()].sort(),
        destinations: [...client.table.snapshot(NAMING).keys()].sort(),
      })
    }),
  )
})
