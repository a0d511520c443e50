import test from 'ava'
import { DEFAULT_SELECTORS } from '../src/enrollment.ts'
import { ConfigError, readConfig } from '../src/env.ts'
import { inPlaceCommand, pluginBeside } from '../src/launcher.ts'

test('the defaults are those of the chart', (t) => {
  const config = readConfig({ NODE_NAME: 'n1' })
  t.like(config, {
    podNamespace: 'istio-system',
    ambientEnabled: true,
    dnsCapture: true,
    ipv6: true,
    reconcileRulesOnStart: true,
    probeIpv4: '169.254.7.127',
    ztunnelSocket: '/var/run/ztunnel/ztunnel.sock',
    runDir: '/var/run/istio-cni',
    binDir: '/host/opt/cni/bin',
    configDir: '/host/etc/cni/net.d',
    healthPort: 8000,
    monitoringPort: 15014,
  })
  t.deepEqual(config.excludeNamespaces, ['kube-system'])
  t.is(config.selectors, DEFAULT_SELECTORS)
  t.is(config.hostNetns, undefined)
  t.is(config.ownedConfigName, undefined)
})

test('the plugin is found below a folder whose name has spaces', (t) => {
  const plugin = pluginBeside('file:///home/new%20comer/src/env.ts')
  t.is(plugin, '/home/new comer/src/plugin.ts')
  t.regex(inPlaceCommand('/a b/node', plugin), /'\/home\/new comer\/src\/plugin\.ts'/)
})

test('the selectors of the config map are YAML', (t) => {
  const yaml = '- podSelector:\n    matchLabels: {mesh: "yes"}\n'
  const config = readConfig({ NODE_NAME: 'n1', AMBIENT_ENABLEMENT_SELECTOR: yaml })
  t.deepEqual(config.selectors, [{ pod: [{ key: 'mesh', operator: 'In', values: ['yes'] }], namespace: [] }])
  t.deepEqual(config.selectorSource, [{ podSelector: { matchLabels: { mesh: 'yes' } } }])
})

test('empty values of the config map are no values', (t) => {
  const config = readConfig({
    NODE_NAME: 'n1',
    CNI_CONF_NAME: '',
    ISTIO_OWNED_CNI_CONF_FILENAME: '',
    ALLOW_SWITCH_TO_HOST_NS: 'true',
  })
  t.is(config.configName, undefined)
  t.is(config.hostNetns, '/host/proc/1/ns/net')
})

test('with ambient mode off nothing is selected', (t) => {
  t.deepEqual(readConfig({ NODE_NAME: 'n1', AMBIENT_ENABLED: 'false' }).selectors, [])
})

for (const [what, env] of Object.entries({
  'no node name': {},
  'a flag that is neither true nor false': { NODE_NAME: 'n', AMBIENT_IPV6: 'maybe' },
  'a port out of range': { NODE_NAME: 'n', HEALTH_PORT: '99999' },
  'selectors that are no YAML': { NODE_NAME: 'n', AMBIENT_ENABLEMENT_SELECTOR: '{' },
})) {
  test(`${what} is refused at start`, (t) => {
    t.throws(() => readConfig(env), { instanceOf: ConfigError })
  })
}
