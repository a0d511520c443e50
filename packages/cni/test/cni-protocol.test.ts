import test from 'ava'
import fc from 'fast-check'
import { netnsCandidates } from '../src/cni-add.ts'
import { decodeCniAddEvent, encodeCniAddEvent } from '../src/cni-add-event.ts'
import { cniError, decodePluginConfig, passedOn, requireVersion, resultIps } from '../src/cni-protocol.ts'
import { parseEnablementSelectors } from '../src/enrollment.ts'
import { SelectorError } from '../src/label-selector.ts'
import { inPlaceCommand, launcherScript } from '../src/launcher.ts'
import { podUidOfCgroup, startTimeOf } from '../src/netns-finder.ts'
import { type Command, decodeCniArgs, readEnvironment } from '../src/plugin-environment.ts'
import { formatKubeconfig, parseKubeconfig } from '../src/plugin-kubeconfig.ts'
import { decodeNamespace, decodePod } from '../src/pod-facts.ts'

const UID = '01234567-89ab-cdef-0123-456789abcdef'

test('an event survives the way from plugin to agent', (t) => {
  const event = {
    netns: '/var/run/netns/cni-1',
    podName: 'p-1',
    podNamespace: 'apps',
    ips: ['10.0.0.1', 'fd00::1'] as never,
  }
  t.deepEqual(decodeCniAddEvent(encodeCniAddEvent(event)), event)
})

test('an event as a Go program writes it is understood', (t) => {
  const text =
    '{"Netns":"/var/run/netns/x","PodName":"p","PodNamespace":"n","IPs":[{"Interface":2,"Address":{"IP":"10.1.2.3","Mask":"////AA=="},"Gateway":"10.1.2.1"}]}'
  t.deepEqual(decodeCniAddEvent(text) as unknown, {
    netns: '/var/run/netns/x',
    podName: 'p',
    podNamespace: 'n',
    ips: ['10.1.2.3'],
  })
})

for (const text of [
  '',
  '[]',
  '{}',
  '{"Netns":"/x","PodName":"../p","PodNamespace":"n"}',
  '{"Netns":"/x","PodName":"p","PodNamespace":"n","IPs":[{}]}',
]) {
  test(`not an event: ${text}`, (t) => t.true('problem' in decodeCniAddEvent(text)))
}

test('no body makes the reader throw', (t) => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void decodeCniAddEvent(text)))
  t.pass()
})

test('paths of the node are found inside the container, and never outside its mounts', (t) => {
  const o = { hostRoot: '/host', netnsDir: '/host/var/run/netns', procDir: '/host/proc' }
  t.deepEqual(netnsCandidates('/var/run/netns/cni-1', o), ['/host/var/run/netns/cni-1', '/host/var/run/netns/cni-1'])
  t.deepEqual(netnsCandidates('/run/netns/cni-1', o), ['/host/var/run/netns/cni-1', '/host/run/netns/cni-1'])
  t.deepEqual(netnsCandidates('/proc/42/ns/net', o), ['/host/proc/42/ns/net'])
  t.deepEqual(netnsCandidates('/../../etc/x', o), ['/host/etc/x'])
})

test('arguments and results of the specification are read', (t) => {
  t.is(decodeCniArgs('IgnoreUnknown=1;K8S_POD_NAMESPACE=a;K8S_POD_NAME=b=c').get('K8S_POD_NAME'), 'b=c')
  t.deepEqual(resultIps({ ips: [{ address: '10.0.0.1/24' }, { address: 'fd00::1/64' }, {}] }) as unknown, [
    '10.0.0.1',
    'fd00::1',
  ])
  t.like(decodePluginConfig('{"cniVersion":"0.4.0","type":"istio-cni"}'), {
    cniVersion: '0.4.0',
    ambientEnabled: false,
  })
  t.throws(() => decodePluginConfig('[]'))
  t.deepEqual(JSON.parse(cniError('1.0.0', 100, 'm')), { cniVersion: '1.0.0', code: 100, msg: 'm', details: '' })
})

test('versions and commands the specification does not have are refused by its codes', (t) => {
  const code = (act: () => unknown): number | undefined => {
    try {
      act()
      return undefined
    } catch (error) {
      return (error as { cniCode?: number }).cniCode
    }
  }
  const allowed = (version: string, command: Command) => code(() => requireVersion(version, command))
  t.deepEqual(
    ['0.2.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0', '2.0.0'].map((version) => allowed(version, 'ADD')),
    [1, undefined, undefined, undefined, undefined, 1],
  )
  t.deepEqual([allowed('0.3.1', 'CHECK'), allowed('0.4.0', 'CHECK'), allowed('1.0.0', 'STATUS')], [1, undefined, 1])
  t.is(allowed('9.9.9', 'VERSION'), undefined)
  t.is(
    code(() => decodePluginConfig('{')),
    6,
  )
  t.is(
    code(() => decodePluginConfig('[]')),
    6,
  )
})

test('variables are required by command, and named when they are wrong', (t) => {
  const good = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' }
  t.like(readEnvironment({ ...good, CNI_ARGS: 'K8S_POD_NAME=p' }), { command: 'ADD', netns: '/run/netns/x' })
  t.is(readEnvironment({ CNI_COMMAND: 'VERSION' }).command, 'VERSION')
  t.is(readEnvironment({ ...good, CNI_COMMAND: 'DEL', CNI_NETNS: '' }).command, 'DEL')
  const wrong: readonly [Record<string, string>, RegExp][] = [
    [{}, /unknown CNI_COMMAND ""/],
    [{ ...good, CNI_COMMAND: 'add' }, /unknown CNI_COMMAND "add"/],
    [{ CNI_COMMAND: 'ADD', CNI_NETNS: '/x' }, /\[CNI_CONTAINERID,CNI_IFNAME\] missing/],
    [{ ...good, CNI_CONTAINERID: '../c' }, /invalid CNI_CONTAINERID/],
    [{ ...good, CNI_IFNAME: 'a-name-that-is-too-long' }, /invalid CNI_IFNAME/],
    [{ ...good, CNI_IFNAME: '..' }, /invalid CNI_IFNAME/],
  ]
  for (const [env, message] of wrong)
    t.like(
      t.throws(() => readEnvironment(env), { message }),
      { cniCode: 4 } as never,
    )
})

test('the result of the plugins before is handed on whole, in the version of the configuration', (t) => {
  const prevResult = { cniVersion: '0.4.0', interfaces: [{ name: 'eth0' }], ips: [], routes: [], unknown: { kept: 1 } }
  const config = decodePluginConfig(JSON.stringify({ cniVersion: '1.0.0', prevResult }))
  t.deepEqual(JSON.parse(passedOn(config)), { ...prevResult, cniVersion: '1.0.0' })
  t.is(passedOn(decodePluginConfig('{}')), '{"cniVersion":"1.0.0"}\n')
})

test('the kubeconfig of the plugin reads back', (t) => {
  const access = { server: 'https://10.0.0.1:443', caPem: 'PEM', token: 'secret' }
  t.deepEqual(parseKubeconfig(formatKubeconfig(access)), access)
  t.throws(() => parseKubeconfig('{}'), { instanceOf: TypeError })
})

test('the launcher quotes what it runs', (t) => {
  const command = inPlaceCommand("/opt/it's/node", '/a b/plugin.ts')
  const script = launcherScript({ command, compileCache: '/run/c' })
  t.regex(script, /^#!\/bin\/sh\n/)
  t.regex(script, /exec '\/opt\/it'\\''s\/node' '--disable-warning=ExperimentalWarning' '\/a b\/plugin\.ts' "\$@"\n$/)
})

for (const [what, cgroup] of Object.entries({
  'cgroupfs v1': `12:memory:/kubepods/besteffort/pod${UID}/abc\n11:cpu:/x`,
  'systemd v2': `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll('-', '_')}.slice/cri-containerd-abc.scope`,
  guaranteed: `0::/kubepods/pod${UID}`,
})) {
  test(`the pod uid is read from ${what} groups`, (t) => t.is(podUidOfCgroup(cgroup), UID))
}

test('other groups have no pod uid', (t) => {
  for (const text of ['', '0::/', '0::/system.slice/podman.service', '0::/user.slice'])
    t.is(podUidOfCgroup(text), undefined)
})

test('the start time is field 22, whatever the name of the process', (t) => {
  const rest = Array.from({ length: 19 }, (_, i) => String(i + 4)).join(' ')
  t.is(startTimeOf(`1 (a) b) S ${rest.replace(/(\d+)$/, '777')}`), 777)
  t.is(startTimeOf(''), undefined)
})

test('no text makes the readers of the runtime and of /proc throw', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (text, value) => {
      decodeCniArgs(text)
      podUidOfCgroup(text)
      startTimeOf(text)
      resultIps({ ips: value })
      resultIps({ ips: [value] })
      decodePod(value)
      decodeNamespace(value)
    }),
  )
  t.pass()
})

test('selectors are either understood or refused by name', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        parseEnablementSelectors(value)
        parseEnablementSelectors([{ podSelector: value }])
      } catch (error) {
        t.true(error instanceof SelectorError)
      }
    }),
  )
  t.pass()
})
