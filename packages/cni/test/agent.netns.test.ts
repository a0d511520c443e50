import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Netns, readNft, runIp, runNft, warmThreadPool } from '@ambit/linux'
import test from 'ava'
import { Fixture, logged, PRIMARY } from './agent-fixture.ts'
import { networkState } from './pod-netns.ts'
import { ScriptedZtunnel } from './scripted-ztunnel.ts'

const MODE = 'istio.io/dataplane-mode'

test.before(async () => {
  await warmThreadPool()
  using home = Netns.home()
  await runIp(home, ['link set lo up'])
})

test.serial('a pod that exists is enrolled, and leaves without a trace when its label goes', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    const pod = await f.runPod(1)
    const before = await networkState(pod)
    f.api.put('namespaces', { metadata: { name: 'apps', labels: {} } })
    f.putPod('a', 1)
    await f.startAgent()
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await ztunnel.saw('snapshotSent')
    t.is(f.redirection('a'), undefined)
    t.is(await networkState(pod), before)

    let unserved = ''
    ztunnel.beforeAnswer = async () => {
      // The node's rules are written meanwhile, by the same means: the pod's would be there by then.
      while (!(await readNft(f.node.host, ['list', 'ruleset'])).includes('10.91.1.2 comment')) unserved = ''
      unserved = await readNft(pod, ['list', 'ruleset'])
      ztunnel.beforeAnswer = () => Promise.resolve()
    }
    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    await f.api.until(() => f.redirection('a') === 'enabled')
    t.is(unserved, '', 'rules before anybody listens lose queries of names without a word')
    const added = await ztunnel.saw('add')
    t.like(added, { uid: 'uid-a', name: 'a' })
    t.is(String(added.netns), pod.id.slice(pod.id.indexOf(':') + 1))
    t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15001/)
    t.regex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2 comment "uid-a"/)

    f.putPod('a', 1, { [MODE]: 'none' })
    await f.api.until(() => f.redirection('a') === undefined)
    await ztunnel.saw('del', 'uid-a')
    t.is(await networkState(pod), before)
    t.notRegex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2/)
  })
})

test.serial('without a ztunnel a pod is pending, and enabled as soon as one answers', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    await f.runPod(1)
    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    f.putPod('a', 1)
    await f.startAgent()
    await f.api.until(() => f.redirection('a') === 'pending')
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await f.api.until(() => f.redirection('a') === 'enabled')
    t.is(ztunnel.seen[0]?.uid, 'uid-a')
  })
})

test.serial('a new pod is enrolled by the plugin before it runs; without the agent its sandbox fails', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    await f.startAgent()
    using ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
    await ztunnel.saw('snapshotSent')
    const pod = await f.runPod(1)
    f.putPod('b', undefined)
    const added = await f.plugin('ADD', 'b', 1)
    t.deepEqual(added, { code: 0, output: '{"cniVersion":"1.0.0","ips":[{"address":"10.91.1.2/24"}]}\n' })
    t.is(f.redirection('b'), 'enabled')
    t.like(await ztunnel.saw('add'), { uid: 'uid-b' })
    t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15006/)
    t.deepEqual(await f.plugin('CHECK', 'b', 1), { code: 0, output: '' })
    await runNft(pod, 'delete table inet istio-ambient-nat')
    t.regex((await f.plugin('CHECK', 'b', 1)).output, /apps\/b is in the mesh, and its redirection rules are gone/)
    t.deepEqual(await f.plugin('DEL', 'b', 1), { code: 0, output: '' })

    f.putPod('optout', undefined, { [MODE]: 'none' })
    await f.runPod(2)
    t.is((await f.plugin('ADD', 'optout', 2)).code, 0)
    t.is(f.redirection('optout'), undefined)

    ztunnel.refusals.set('uid-c', 'cannot bind')
    f.putPod('c', undefined)
    await f.runPod(3)
    const refused = await f.plugin('ADD', 'c', 3)
    t.is(refused.code, 1)
    t.regex(refused.output, /istio-cni cmdAdd failed to contact node Istio CNI agent: .*cannot bind/)

    await f.stopAgent('SIGKILL')
    const failed = await f.plugin('ADD', 'b', 1)
    t.is(failed.code, 1)
    t.regex(
      (JSON.parse(failed.output) as { msg: string }).msg,
      /^istio-cni cmdAdd failed to contact node Istio CNI agent: /,
    )
  })
})

test.serial(
  'a killed agent takes its pods over again: rules repaired, snapshot whole, deletions noticed',
  async (t) => {
    await using f = await Fixture.create()
    await logged(t, f, async () => {
      const pod = await f.runPod(1)
      await f.runPod(2)
      f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
      f.putPod('a', 1)
      f.putPod('b', 2)
      await f.startAgent()
      using first = await ScriptedZtunnel.connect(f.paths.socket)
      await f.api.until(() => f.redirection('a') === 'enabled' && f.redirection('b') === 'enabled')
      await f.stopAgent('SIGKILL')
      await first.ended
      await runNft(pod, 'delete table inet istio-ambient-nat')
      f.api.delete('pods', 'apps', 'b')

      await f.startAgent()
      using second = await ScriptedZtunnel.connect(f.paths.socket)
      await second.saw('snapshotSent')
      t.deepEqual(
        second.seen.map(({ kind, uid }) => `${kind} ${uid}`),
        ['add uid-a', 'snapshotSent '],
      )
      t.regex(await readNft(pod, ['list', 'ruleset']), /redirect to :15001/)
      const probes = await readNft(f.node.host, ['list', 'ruleset'])
      t.regex(probes, /10\.91\.1\.2/)
      t.notRegex(probes, /10\.91\.2\.2/)

      f.api.delete('pods', 'apps', 'a')
      await second.saw('del', 'uid-a')
    })
  },
)

test.serial(
  'where process 1 is on no node, the namespace with the address of the node gets the probe rules',
  async (t) => {
    await using f = await Fixture.create()
    await logged(t, f, async () => {
      await f.runPod(1)
      f.api.put('nodes', {
        metadata: { name: 'n1' },
        status: { addresses: [{ type: 'InternalIP', address: '10.91.1.1' }] },
      })
      symlinkSync(`/proc/${process.pid}/fd/${f.node.host.fd}`, join(f.paths.netns, 'node'))
      using elsewhere = Netns.create()
      f.hostNetns = elsewhere
      f.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
      f.putPod('a', 1)
      await f.startAgent()
      using _ztunnel = await ScriptedZtunnel.connect(f.paths.socket)
      await f.api.until(() => f.redirection('a') === 'enabled')
      t.regex(await readNft(f.node.host, ['list', 'ruleset']), /10\.91\.1\.2/)
      t.is(await readNft(elsewhere, ['list', 'ruleset']), '')
    })
  },
)

test.serial('the plugin stays in the chain until the DaemonSet is gone', async (t) => {
  await using f = await Fixture.create()
  await logged(t, f, async () => {
    const chain = (): string[] =>
      (JSON.parse(readFileSync(f.paths.conflist, 'utf8')) as { plugins: { type: string }[] }).plugins.map(
        ({ type }) => type,
      )
    await f.startAgent()
    t.deepEqual(chain(), ['bridge', 'istio-cni'])
    t.is(statSync(f.paths.conflist).mode & 0o777, 0o600)
    t.is(statSync(join(f.paths.run, 'istio-cni-kubeconfig')).mode & 0o777, 0o600)

    // Another program writes its configuration anew.
    writeFileSync(f.paths.conflist, JSON.stringify(PRIMARY))
    while (!readFileSync(f.paths.conflist, 'utf8').includes('istio-cni'))
      await new Promise((resolve) => setImmediate(resolve))

    await f.stopAgent('SIGTERM')
    t.deepEqual(chain(), ['bridge', 'istio-cni'], 'a restart leaves everything in place')
    await f.startAgent()
    f.api.delete('daemonsets', 'istio-system', 'istio-cni-node')
    await f.stopAgent('SIGTERM')
    t.deepEqual(chain(), ['bridge'])
    t.false(existsSync(join(f.paths.bin, 'istio-cni')))
    t.false(existsSync(join(f.paths.run, 'istio-cni-kubeconfig')))
  })
})
