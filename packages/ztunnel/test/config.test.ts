import { zdspb } from '@ambit/api'
import { ip, systemClock } from '@ambit/core'
import { PolicyStore, WorkloadStore } from '@ambit/state'
import { create, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { readConfig } from '../src/config.ts'
import { configDump } from '../src/config-dump.ts'
import { parseDuration } from '../src/duration.ts'
import { MAX_WORKER_THREADS, MIN_WORKER_THREADS } from '../src/limits.ts'
import { parseLocalXds } from '../src/local-xds.ts'
import { encodeProxyHeader } from '../src/proxy-protocol.ts'
import { decodeZdsRequest, encodeAck, encodeHello } from '../src/zds-messages.ts'

const files = { exists: () => false, meshConfig: undefined }

test('nothing set: the defaults of Istio in a cluster', (t) => {
  const config = readConfig({ KUBERNETES_SERVICE_HOST: '10.96.0.1' }, files)
  t.like(config, {
    mode: { kind: 'shared' },
    packetMark: 1337,
    clusterId: 'Kubernetes',
    drainDeadlineMs: 5000,
    zdsSocket: '/var/run/ztunnel/ztunnel.sock',
    secretTtlSeconds: 86400,
  })
  t.is(config.xds?.address, 'https://istiod.istio-system.svc:15012')
  t.true(config.dns.enabled)
})

test('the dump holds nothing that lets its reader act as the proxy', (t) => {
  const env = {
    AUTH_TOKEN: 'literal-hidden',
    XDS_HEADER_authorization: 'Basic header-hidden',
    CA_HEADER_x: 'other-hidden',
    XDS_ROOT_CA: '-----BEGIN CERTIFICATE-----hidden',
  }
  const dump = JSON.stringify(
    configDump({
      store: new WorkloadStore({ clock: systemClock }, {}),
      policies: new PolicyStore(),
      certificates: () => [],
      workloadState: () => ({}),
      config: readConfig(env, files),
      staticConfig: undefined,
      dataPath: 'node',
      version: '1',
    }),
  )
  t.true(dump.includes('"authorization":"sha256:'))
  t.false(dump.includes('hidden'))
})

test('what has no effect here is named', (t) => {
  const env = { TLS12_ENABLED: 'true', HTTP2_FRAME_SIZE: '16384', USER_TIMEOUT_ENABLED: 'false' }
  t.deepEqual(readConfig(env, files).ignored, ['TLS12_ENABLED', 'HTTP2_FRAME_SIZE'])
})

test('drain deadlines follow the grace period', (t) => {
  const deadline = (env: Record<string, string>) => readConfig(env, files).drainDeadlineMs
  t.is(deadline({ TERMINATION_GRACE_PERIOD_SECONDS: '30' }), 25_000)
  t.is(deadline({ TERMINATION_GRACE_PERIOD_SECONDS: '10' }), 9_000)
  t.is(deadline({ TERMINATION_GRACE_PERIOD_SECONDS: '1' }), 1_000)
  t.is(deadline({ TERMINATION_GRACE_PERIOD_SECONDS: '30', CONNECTION_TERMINATION_DEADLINE: '7s' }), 7_000)
})

const refused = test.macro((t, env: Record<string, string>, name: string) => {
  t.throws(() => readConfig(env, files), { code: 'config-invalid', message: new RegExp(`^${name}=`) })
})
test('a plain text control plane is refused', refused, { XDS_ADDRESS: 'http://x:15010' }, 'XDS_ADDRESS')
test('an unknown mode is refused', refused, { PROXY_MODE: 'sidecar' }, 'PROXY_MODE')
test(
  'dedicated mode needs its workload',
  refused,
  { PROXY_MODE: 'dedicated', PROXY_WORKLOAD_INFO: 'a/b' },
  'PROXY_WORKLOAD_INFO',
)
test('on-demand xDS excludes the DNS proxy', refused, { XDS_ON_DEMAND: 'true' }, 'XDS_ON_DEMAND')
test(
  'a number that is none is refused',
  refused,
  { POOL_MAX_STREAMS_PER_CONNECTION: 'many' },
  'POOL_MAX_STREAMS_PER_CONNECTION',
)

test('PROXY_CONFIG lies over the mesh config', (t) => {
  const config = readConfig(
    {
      PROXY_CONFIG: 'proxyAdminPort: 16000\nproxyMetadata: {B: "2"}',
      ISTIO_META_DNS_CAPTURE: 'false',
      ISTIO_METAJSON_X: '{"y":1}',
    },
    {
      exists: () => false,
      meshConfig: 'defaultConfig:\n  discoveryAddress: istiod:15012\n  proxyMetadata: {A: "1", B: "1"}',
    },
  )
  t.is(config.adminPort, 16000)
  t.is(config.xds?.address, 'https://istiod:15012')
  t.like(config.nodeMetadata, { A: '1', B: '2', X: { y: 1 } })
  t.false(config.dns.enabled)
})

test('what carries the bytes, and with how many workers', (t) => {
  const config = (env: Record<string, string>, cpus = 16) => readConfig(env, { ...files, cpus })
  t.is(config({}).dataPath, 'node')
  t.is(config({ AMBIT_DATA_PATH: 'Auto' }).dataPath, 'auto')
  t.is(config({ AMBIT_DATA_PATH: 'reactor' }).dataPath, 'reactor')
  t.throws(() => config({ AMBIT_DATA_PATH: 'rust' }), { code: 'config-invalid', message: /auto, reactor or node/ })
  const workers = (env: Record<string, string>, cpus?: number) => config(env, cpus).workerThreads
  t.is(workers({}, 1), MIN_WORKER_THREADS)
  t.is(workers({}, 18), 5)
  t.is(workers({ ZTUNNEL_RESOURCE_CPU_REQUEST: '6' }), 6)
  t.is(workers({ ZTUNNEL_RESOURCE_CPU_LIMIT: '1', ZTUNNEL_RESOURCE_CPU_REQUEST: '6' }), 1)
  t.is(workers({ ZTUNNEL_WORKER_THREADS: '3' }), 3)
  t.is(workers({ ZTUNNEL_WORKER_THREADS: '0' }), 16)
  t.is(workers({ ZTUNNEL_WORKER_THREADS: '10%' }), 2)
  t.is(workers({ ZTUNNEL_WORKER_THREADS: '1%', ZTUNNEL_CPU_LIMIT: '4' }), 1)
  t.is(workers({ ZTUNNEL_WORKER_THREADS: '9999' }), MAX_WORKER_THREADS)
  t.is(workers({ PROXY_CONFIG: 'concurrency: 7' }), 7)
  for (const bad of ['-1', '1.5', '101%', 'all'])
    t.throws(() => config({ ZTUNNEL_WORKER_THREADS: bad }), { code: 'config-invalid' }, bad)
})

test('durations', (t) => {
  t.is(parseDuration('1h30m'), 5_400_000)
  t.is(parseDuration('250ms'), 250)
  for (const bad of ['', '5', '5x', '-1s', 's']) t.is(parseDuration(bad), undefined)
})

test('a PROXY header carries both addresses and the identity', (t) => {
  const header = encodeProxyHeader({
    source: { ip: ip('10.0.0.1'), port: 1000 },
    destination: { ip: ip('10.0.0.2'), port: 80 },
    identity: { trustDomain: 'td', namespace: 'n', serviceAccount: 's' },
  })
  t.is(
    header.toString('hex'),
    `0d0a0d0a000d0a515549540a2111${(12 + 3 + 21).toString(16).padStart(4, '0')}0a0000010a00000203e80050d00015${Buffer.from('spiffe://td/ns/n/sa/s').toString('hex')}`,
  )
  t.is(
    encodeProxyHeader({
      source: { ip: ip('10.0.0.1'), port: 1 },
      destination: { ip: ip('::1'), port: 1 },
      identity: undefined,
    }).toString('hex'),
    '0d0a0d0a000d0a515549540a21000000',
  )
})

test('ZDS messages: what is right, what breaks the connection, what breaks the protocol', (t) => {
  const encode = (payload: zdspb.WorkloadRequest['payload']) =>
    toBinary(zdspb.WorkloadRequestSchema, create(zdspb.WorkloadRequestSchema, { payload }))
  const info = create(zdspb.WorkloadInfoSchema, { name: 'p', namespace: 'n', serviceAccount: 's' })
  const add = encode({ case: 'add', value: create(zdspb.AddWorkloadSchema, { uid: 'u', workloadInfo: info }) })
  t.deepEqual(decodeZdsRequest(add, [9]), {
    ok: true,
    request: { kind: 'add', uid: 'u', workload: { name: 'p', namespace: 'n', serviceAccount: 's' }, fd: 9 },
  })
  t.like(decodeZdsRequest(add, []), { ok: false, fault: 'read' })
  t.like(decodeZdsRequest(add, [1, 2]), { ok: false, fault: 'read' })
  t.like(decodeZdsRequest(encode({ case: 'add', value: create(zdspb.AddWorkloadSchema, { uid: 'u' }) }), [9]), {
    ok: false,
    fault: 'protocol',
  })
  t.like(decodeZdsRequest(Uint8Array.from([255, 255]), []), { ok: false, fault: 'read' })
  t.like(decodeZdsRequest(new Uint8Array(), []), { ok: false, fault: 'read' })
  t.deepEqual([...encodeHello()], [8, 1])
  t.true(encodeAck('x'.repeat(5000)).length < 1024)
})

test('local xDS reads upstream files and refuses unknown keys', (t) => {
  const { policies } = parseLocalXds(`
policies:
- name: p
  namespace: n
  scope: Global
  action: Deny
  dryRun: false
  rules: [[[{principals: [!Exact td/ns/a/sa/b, {Prefix: x}, !Presence []], destinationPorts: [80], notSourceIps: [10.0.0.0/8]}]]]
`)
  t.deepEqual(policies[0]?.rules[0]?.clauses[0]?.matches[0]?.principals, [
    { kind: 'exact', value: 'td/ns/a/sa/b' },
    { kind: 'prefix', value: 'x' },
    { kind: 'presence' },
  ])
  t.throws(() => parseLocalXds('workload: []'), { code: 'local-xds-invalid', message: /unknown key "workload"/ })
  t.throws(() => parseLocalXds('workloads: [{}]'), { code: 'local-xds-invalid' })
  t.throws(() => parseLocalXds('{'), { code: 'local-xds-invalid' })
})
