// What a change and a pod cost, counted so that a busy machine changes nothing.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { discoverypb, TYPE_URLS } from '@ambit/api'
import { silentLogger } from '@ambit/core'
import type { KubeObject } from '@ambit/kube'
import { FakeClock } from '@ambit/testing'
import { create } from '@bufbuild/protobuf'
import test from 'ava'
import { podObject, podStatus } from '../../../test/bench/control-plane/mesh-objects.ts'
import { encodeResponse, shared } from '../../xds/src/encode-response.ts'
import { ServerStream } from '../../xds/src/server-stream.ts'
import { REFERENCES } from '../src/index/publication.ts'
import { keepPod, podOf } from '../src/watch/decode-pod.ts'
import { Mesh } from './support/mesh.ts'
import * as make from './support/objects.ts'

const PROXIES = 100
const PODS = 2_000
/** Heap of one pod: as it is kept, compiled and published. Measured 2,630; its JSON alone has 5,000 characters. */
const HEAP_OF_POD_BYTES = 3_500
/** What a proxy is sent when one pod of two services changes. Measured 330. */
const PUSH_BYTES = 450

/** As the API server sends it: no two pods share a string. */
function pod(index: number, ready = true): KubeObject {
  const place = {
    app: { namespace: 'team', name: `app-${index % 20}`, index: index % 20 },
    name: `app-${index % 20}-a1b2c3d4e5-${index}`,
    ip: `10.0.${index >> 8}.${index & 255}`,
    node: `node-${index % 50}`,
  }
  const { metadata, ...rest } = podObject(place, 'uid-of-the-replica-set', 'v1')
  const identity = { uid: `uid-${index}`, resourceVersion: String(index), creationTimestamp: '2026-01-01T00:00:00Z' }
  const object = { ...rest, metadata: { ...metadata, ...identity }, status: podStatus(place, ready) }
  return JSON.parse(JSON.stringify(object)) as KubeObject
}

function services(): readonly KubeObject[] {
  return Array.from({ length: 20 }, (_, a) =>
    make.service(`team/app-${a}`, { clusterIP: `10.96.0.${a}`, selector: { app: `app-${a}` } }),
  )
}

/** Streams of proxies that want everything and answer at once. */
function proxies(mesh: Mesh): { readonly pushes: Buffer[]; flush(): void } {
  const pushes: Buffer[] = []
  const streams = Array.from({ length: PROXIES }, () => {
    const stream: ServerStream = new ServerStream(
      {
        source: mesh.table,
        clock: new FakeClock(),
        logger: silentLogger,
        send: (response) => {
          pushes.push(encodeResponse(response))
          const { typeUrl, nonce } = response
          stream.onRequest(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }))
        },
        onStuck: () => undefined,
        onNack: () => undefined,
      },
      { ackTimeoutMs: 1000, references: REFERENCES },
    )
    for (const typeUrl of [TYPE_URLS.authorization, TYPE_URLS.address])
      stream.onRequest(create(discoverypb.DeltaDiscoveryRequestSchema, { typeUrl }))
    return stream
  })
  mesh.table.subscribe((typeUrl, change) => {
    for (const stream of streams) stream.note(typeUrl, change)
  })
  return {
    pushes,
    flush: () => {
      for (const stream of streams) stream.flush()
    },
  }
}

test('a pod gets ready: one unit is compiled, encoded once, and sent to each proxy in few bytes', (t) => {
  const mesh = Mesh.of(...services(), ...Array.from({ length: 100 }, (_, index) => pod(index)))
  const { pushes, flush } = proxies(mesh)
  pushes.length = 0
  const before = shared.encodings
  mesh.put(pod(7, false), true)
  t.is(mesh.index.flush(), 1)
  flush()
  t.is(pushes.length, PROXIES)
  t.is(shared.encodings - before, 1)
  t.log(`${pushes[0]?.length} bytes`)
  t.true(Math.max(...pushes.map(({ length }) => length)) < PUSH_BYTES, `${pushes[0]?.length} bytes`)
})

test('the slice in which a pod gets ready is compiled without its pods', (t) => {
  const slice = (ready: boolean): KubeObject =>
    make.slice('team/app-0-slice', 'app-0', {
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: Array.from({ length: 50 }, (_, index) => ({
        addresses: [`10.0.0.${index}`],
        conditions: { ready: ready || index !== 7 },
        targetRef: { kind: 'Pod', name: `app-0-a1b2c3d4e5-${index * 20}` },
      })),
    })
  const mesh = Mesh.of(...services(), ...Array.from({ length: 100 }, (_, index) => pod(index)), slice(true))
  mesh.put(slice(false), true)
  t.is(mesh.index.flush(), 1)
})

test('a pod takes little memory, and none when it is gone', (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heap = (): number => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const mesh = Mesh.of(...services())
  const kept = new Map<string, KubeObject>()
  const put = (index: number): void => {
    const object = keepPod(pod(index))
    kept.set(object.metadata.name, object)
    mesh.index.put('pods', 'team', object.metadata.name, podOf(object))
  }
  // Code and tables of the first few are no pod's.
  for (let index = 0; index < 100; index++) put(index)
  mesh.index.flush()
  const empty = heap()
  for (let index = 100; index < PODS; index++) put(index)
  mesh.index.flush()
  const full = heap()
  t.is(mesh.names().length, PODS + 20, 'all of them are published')
  const each = (full - empty) / (PODS - 100)
  t.log(`${Math.round(each)} bytes`)
  t.true(each < HEAP_OF_POD_BYTES, `${Math.round(each)} bytes`)
  for (const [name, object] of kept)
    if (Number(object.metadata.uid?.slice(4)) >= 100) {
      kept.delete(name)
      mesh.index.put('pods', 'team', name, undefined)
    }
  mesh.index.flush()
  const left = (heap() - empty) / (full - empty)
  t.log(`${Math.round(left * 100)} % stays`)
  // Hash tables keep some of their room.
  t.true(left < 0.25, `${Math.round(left * 100)} % does not come back`)
})
