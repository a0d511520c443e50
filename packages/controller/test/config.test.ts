import test from 'ava'
import { WAYPOINT_DEFAULTS } from '../src/compile/waypoint-settings.ts'
import { readConfig } from '../src/config.ts'
import { decodeMeshConfig } from '../src/mesh/mesh-config.ts'
import { durationMs } from '../src/watch/go-duration.ts'

test('nothing given means Istio’s defaults', (t) => {
  t.like(readConfig({ variables: {}, args: [] }), {
    namespace: 'istio-system',
    revision: 'default',
    clusterId: 'Kubernetes',
    domain: 'cluster.local',
    trustedNodeAccounts: [],
    defaultCertTtlSeconds: 86_400,
    maxCertTtlSeconds: 90 * 86_400,
    statusEnabled: true,
    ports: { http: 8080, tls: 15012, monitoring: 15014, webhook: 15017 },
    logLevel: 'info',
  })
})

test('Istio’s environment and flags are read', (t) => {
  const config = readConfig({
    variables: {
      POD_NAMESPACE: 'mesh',
      REVISION: 'canary',
      CLUSTER_ID: 'east',
      CA_TRUSTED_NODE_ACCOUNTS: 'mesh/ztunnel, other/zt',
      MAX_WORKLOAD_CERT_TTL: '48h',
      AMBIENT_ENABLE_STATUS: 'false',
    },
    args: [
      'discovery',
      '--monitoringAddr=:1',
      '--domain',
      'corp',
      '--log_output_level=default:debug,ads:none',
      '--keepaliveMaxServerConnectionAge',
      '1h30m',
    ],
  })
  t.like(config, {
    namespace: 'mesh',
    revision: 'canary',
    clusterId: 'east',
    domain: 'corp',
    maxCertTtlSeconds: 172_800,
    statusEnabled: false,
    logLevel: 'debug,ads=off',
    maxConnectionAgeMs: 5_400_000,
  })
  t.deepEqual(config.trustedNodeAccounts, ['mesh/ztunnel', 'other/zt'])
  t.is(config.ports.monitoring, 1)
})

test('a duration that is none is refused by name', (t) => {
  const error = t.throws(() => readConfig({ variables: { MAX_WORKLOAD_CERT_TTL: 'long' }, args: [] }), {
    code: 'CONTROLLER_CONFIG',
  })
  t.regex(error.message, /^MAX_WORKLOAD_CERT_TTL="long"/)
})

for (const [text, ms] of [
  ['30m', 1_800_000],
  ['1h30m', 5_400_000],
  ['2160h0m0s', 7_776_000_000],
  ['1.5s', 1500],
  ['10ms', 10],
  ['', undefined],
  ['5', undefined],
  ['-1s', undefined],
] as const)
  test(`${JSON.stringify(text)} as a duration`, (t) => t.is(durationMs(text), ms))

test('mesh settings', (t) => {
  t.deepEqual(decodeMeshConfig(undefined, 'root'), {
    ok: true,
    discoverySelectors: [],
    config: { rootNamespace: 'root', trustDomain: 'cluster.local', waypoints: WAYPOINT_DEFAULTS },
  })
  t.deepEqual(decodeMeshConfig('rootNamespace: a\ntrustDomain: corp\nother: 1', 'root'), {
    ok: true,
    discoverySelectors: [],
    config: { rootNamespace: 'a', trustDomain: 'corp', waypoints: WAYPOINT_DEFAULTS },
  })
  t.deepEqual(decodeMeshConfig('discoverySelectors: [{matchLabels: {env: prod}}]', 'root'), {
    ok: true,
    config: { rootNamespace: 'root', trustDomain: 'cluster.local', waypoints: WAYPOINT_DEFAULTS },
    discoverySelectors: [[{ key: 'env', operator: 'In', values: ['prod'] }]],
  })
  t.false(decodeMeshConfig('discoverySelectors: [{matchLabel: {env: prod}}]', 'root').ok)
  t.false(decodeMeshConfig('discoverySelectors: 7', 'root').ok)
  t.false(decodeMeshConfig('- a', 'root').ok)
  t.false(decodeMeshConfig('a: [', 'root').ok)
  t.false(decodeMeshConfig('trustDomain: a/b', 'root').ok)
})

test('mesh settings for waypoints', (t) => {
  const written = `
trustDomainAliases: [old.example]
pathNormalization: { normalization: DECODE_AND_MERGE_SLASHES }
accessLogFile: /dev/stdout
accessLogEncoding: JSON
accessLogFormat: '{"path": "%PATH%"}'
connectTimeout: 1m30s`
  const verdict = decodeMeshConfig(written, 'root')
  t.deepEqual(verdict.ok && verdict.config.waypoints, {
    trustDomainAliases: ['old.example'],
    pathNormalization: 'DECODE_AND_MERGE_SLASHES',
    accessLog: { encoding: 'JSON', format: '{"path": "%PATH%"}' },
    connectTimeoutMs: 90_000,
  })
  t.false(decodeMeshConfig('pathNormalization: { normalization: SOMEHOW }', 'root').ok)
  t.false(decodeMeshConfig('trustDomainAliases: old.example', 'root').ok)
  t.false(decodeMeshConfig('connectTimeout: soon', 'root').ok)
})
