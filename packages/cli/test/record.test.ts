import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Flow } from '@ambit/flow'
import { KubeApiError } from '@ambit/kube'
import { FlowRecorder, type FlowsLine } from '@ambit/policy-diff'
import test from 'ava'
import type { Cluster } from '../src/cluster/cluster.types.ts'
import { ClusterError } from '../src/errors.ts'
import type { FlowUpdate } from '../src/flows/follow-flows.types.ts'
import { recordFlows } from '../src/record/record-flows.ts'
import { whatPoliciesRead } from '../src/record/what-policies-read.ts'
import { writeWholeFile } from '../src/write-file.ts'

const AT = '2026-11-21T18:00:00.000Z'

function flow(id: string): Flow {
  return {
    id,
    state: 'closed',
    startedAt: AT,
    at: AT,
    reporter: { kind: 'ztunnel', pod: 'istio-system/ztunnel-1' },
    side: 'destination',
    protocol: 'tcp',
    client: { address: '10.1.0.5:4000' },
    server: { address: '10.1.0.6:8080', namespace: 'shop', workload: 'web' },
    transport: { kind: 'plain' },
    bytesFromClient: 0,
    bytesToClient: 0,
  }
}

function recorder(): FlowRecorder {
  const reads = { headers: [], claims: [], paths: [] }
  return new FlowRecorder({ startedAt: AT, namespaces: [], reads, waypointPods: [] })
}

const linesOf = (recording: FlowRecorder): readonly FlowsLine[] =>
  recording.lines({ at: AT, complete: true, reason: 'stopped' })

async function* told(...updates: readonly FlowUpdate[]): AsyncGenerator<FlowUpdate> {
  yield* updates
}

const options = { now: () => AT, count: undefined, onProgress: () => undefined }

test('flows and gaps are added up until nobody tells any more', async (t) => {
  const recording = recorder()
  const updates = told({ flow: flow('1') }, { gap: 'istio-system/ztunnel-2: can not be asked' }, { flow: flow('2') })
  const ended = await recordFlows(updates, recording, { ...options, signal: new AbortController().signal })
  t.deepEqual(ended, { kind: 'ended' })
  t.deepEqual(
    linesOf(recording).map((line) => ('count' in line ? [line.kind, line.count] : [line.kind])),
    [['header'], ['flow', 2], ['gap', 1], ['end']],
  )
})

test('enough is enough', async (t) => {
  const recording = recorder()
  const updates = told({ flow: flow('1') }, { flow: flow('2') }, { flow: flow('3') })
  const ended = await recordFlows(updates, recording, { ...options, count: 2, signal: new AbortController().signal })
  t.deepEqual([ended, recording.counted], [{ kind: 'enough' }, 2])
})

test('told to stop, it keeps what it has', async (t) => {
  const stop = new AbortController()
  const recording = recorder()
  async function* endless(): AsyncGenerator<FlowUpdate> {
    for (let i = 0; ; i++) {
      yield { flow: flow(String(i)) }
      if (i === 4) stop.abort()
    }
  }
  const ended = await recordFlows(endless(), recording, { ...options, signal: stop.signal })
  t.is(ended.kind, 'stopped')
  t.true(recording.counted >= 5)
})

test('a failure keeps what was recorded, and is told in it', async (t) => {
  const recording = recorder()
  // biome-ignore lint/correctness/useYield: it fails after what it told.
  async function* failing(): AsyncGenerator<FlowUpdate> {
    yield { flow: flow('1') }
    throw new Error('the API server is gone')
  }
  const ended = await recordFlows(failing(), recording, { ...options, signal: new AbortController().signal })
  t.is(ended.kind, 'failed')
  t.is(recording.counted, 1)
  t.deepEqual(recording.gaps, ['the recording ended early: the API server is gone'])
})

function clusterOf(list: Cluster['list']): Cluster {
  return { list } as Cluster
}

test('what policies in force read, and which pods are waypoints', async (t) => {
  const policy = {
    metadata: { name: 'p', namespace: 'shop' },
    spec: {
      rules: [{ to: [{ operation: { paths: ['/a/7'] } }], when: [{ key: 'request.headers[X-Team]', values: ['a'] }] }],
    },
  }
  const cluster = clusterOf(({ kind, labelSelector }) =>
    Promise.resolve(
      kind === 'AuthorizationPolicy'
        ? [policy]
        : labelSelector?.includes('mesh-controller') === true
          ? [{ metadata: { name: 'waypoint-1', namespace: 'shop' } }]
          : [],
    ),
  )
  const { reads, waypointPods, gaps } = await whatPoliciesRead(cluster)
  t.deepEqual([reads.headers, reads.paths.length, waypointPods, gaps], [['x-team'], 1, ['shop/waypoint-1'], []])
})

test('a right that is missing makes the recording smaller, and is told', async (t) => {
  const cluster = clusterOf(() => {
    throw new ClusterError('no', { cause: new KubeApiError('forbidden', 403, 'Forbidden') })
  })
  const { reads, waypointPods, gaps } = await whatPoliciesRead(cluster)
  t.deepEqual([reads.headers, waypointPods.length, gaps.length], [[], 0, 2])
  t.regex(gaps[0] ?? '', /^no right to list authorizationpolicies: headers and claims are not recorded/)
})

test('a file is replaced as a whole, where a link leads, and what is no file is written to', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'write-'))
  try {
    const [file, link] = [join(folder, 'a.jsonl'), join(folder, 'link')]
    await writeFile(file, 'old')
    await symlink(file, link)
    await writeWholeFile(link, 'new')
    t.is(await readFile(file, 'utf8'), 'new')
    await writeWholeFile('/dev/null', 'nothing')
    await t.throwsAsync(writeWholeFile(join(folder, 'missing', 'b'), 'x'), { code: 'ENOENT' })
    t.deepEqual((await readdir(folder)).toSorted(), ['a.jsonl', 'link'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
