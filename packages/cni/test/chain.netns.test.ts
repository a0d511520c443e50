// Our plugin behind the reference plugins of the CNI project, called as a container runtime calls them.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Netns, readIp, readNft, runIp, runNft, warmThreadPool } from '@ambit/linux'
import test from 'ava'
import { Fixture, logged } from './agent-fixture.ts'
import { type Attachment, Chain, type Conflist } from './chain.ts'
import { ScriptedZtunnel } from './scripted-ztunnel.ts'

const MODE = 'istio.io/dataplane-mode'
const TOKEN = 'a-token-that-nobody-may-read'
/** Where Debian's package has them, and where set-up unpacks it for people who are not root. */
const REFERENCE = ['/usr/lib/cni', new URL('../../../.ambit/tools/usr/lib/cni', import.meta.url).pathname]

test.before(async () => {
  await warmThreadPool()
  using home = Netns.home()
  await runIp(home, ['link set lo up'])
})

/** A node whose network is made by reference plugins, with our agent chained to them. */
class ChainedNode implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack
  readonly fixture: Fixture
  readonly chain: Chain

  private constructor(fixture: Fixture, stack: AsyncDisposableStack) {
    this.fixture = fixture
    this.#stack = stack
    const home = stack.use(Netns.home())
    this.chain = new Chain({
      path: [...REFERENCE, fixture.paths.bin],
      netnsFor: (type) => (type === 'istio-cni' ? home : fixture.node.host),
    })
  }

  static async create(list: Conflist): Promise<ChainedNode> {
    await using stack = new AsyncDisposableStack()
    const fixture = stack.use(await Fixture.create())
    const account = join(fixture.folder, 'account')
    mkdirSync(account)
    writeFileSync(join(account, 'token'), TOKEN)
    const ipam = { type: 'host-local', dataDir: join(fixture.folder, 'ipam'), subnet: '10.92.0.0/24' }
    const plugins = list.plugins.map((each) =>
      each.type === 'bridge' || each.type === 'ptp' ? { ...each, ipam } : each,
    )
    writeFileSync(fixture.paths.conflist, JSON.stringify({ ...list, plugins }))
    chmodSync(fixture.paths.conflist, 0o644)
    fixture.api.put('namespaces', { metadata: { name: 'apps', labels: { [MODE]: 'ambient' } } })
    fixture.api.put('namespaces', { metadata: { name: 'istio-system', labels: {} } })
    await fixture.startAgent({ HOST_ROOT: '/', SERVICE_ACCOUNT_DIR: account })
    return new ChainedNode(fixture, stack.move())
  }

  /** As the runtime reads it: with our plugin at its end. */
  get list(): Conflist {
    return JSON.parse(readFileSync(this.fixture.paths.conflist, 'utf8')) as Conflist
  }

  get leases(): readonly string[] {
    return readdirSync(join(this.fixture.folder, 'ipam', this.list.name)).filter((name) => /^\d/.test(name))
  }

  /** An empty namespace for a pod. */
  sandbox(name: string, namespace = 'apps'): Attachment & { readonly pod: Netns } {
    const pod = this.#stack.use(Netns.create())
    const netns = join(this.fixture.paths.netns, `cni-${name}`)
    symlinkSync(`/proc/${process.pid}/fd/${pod.fd}`, netns)
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name}`
    return { containerId: `sandbox-${name}`, netns, args, pod }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack[Symbol.asyncDispose]()
  }
}

const bridge = (cniVersion: string): Conflist => ({
  cniVersion,
  name: 'pods',
  plugins: [
    { type: 'bridge', bridge: 'cni0', isGateway: true },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'tuning', sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0' } },
  ],
})

interface Result {
  readonly cniVersion: string
  readonly ips: readonly { readonly address: string; readonly version?: string }[]
  readonly interfaces: readonly { readonly name: string; readonly sandbox?: string }[]
}

for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
  test.serial(`bridge, portmap, tuning, then ours: a pod comes, is looked at and goes (CNI ${version})`, async (t) => {
    await using node = await ChainedNode.create(bridge(version))
    const { fixture, chain } = node
    await logged(t, fixture, async () => {
      t.deepEqual(
        node.list.plugins.map(({ type }) => type),
        ['bridge', 'portmap', 'tuning', 'istio-cni'],
      )
      t.is(statSync(fixture.paths.conflist).mode & 0o777, 0o600)
      using ztunnel = await ScriptedZtunnel.connect(fixture.paths.socket)
      await ztunnel.saw('snapshotSent')
      const sandbox = node.sandbox('web')
      fixture.putPod('web', undefined)

      const { ran, result } = await chain.add(node.list, sandbox)
      t.is(ran.at(-1)?.code, 0, JSON.stringify(ran))
      t.deepEqual(result, JSON.parse(ran.at(-2)?.output ?? ''), 'the result goes through untouched')
      const { cniVersion, ips, interfaces } = result as Result
      t.is(cniVersion, version)
      t.is(ips[0]?.address, '10.92.0.2/24')
      t.is(ips[0]?.version, version === '1.0.0' ? undefined : '4')
      t.is(interfaces.at(-1)?.sandbox, sandbox.netns)
      t.is(fixture.redirection('web'), 'enabled')
      t.like(await ztunnel.saw('add'), { uid: 'uid-web' })
      t.regex(await readNft(sandbox.pod, ['list', 'ruleset']), /redirect to :15001/)

      if (version !== '0.3.1') {
        const checked = await chain.check(node.list, sandbox, result)
        t.deepEqual(
          checked.map(({ type, code, output }) => `${type} ${code}${output}`),
          ['bridge 0', 'portmap 0', 'tuning 0', 'istio-cni 0'],
        )
        await runNft(sandbox.pod, 'delete table inet istio-ambient-nat')
        const [last] = (await chain.check(node.list, sandbox, result)).slice(-1)
        t.like(JSON.parse(last?.output ?? ''), { cniVersion: version, code: 100 })
      }

      const gone = await chain.del(node.list, sandbox, result)
      t.true(
        gone.every(({ code, output }) => code === 0 && output === ''),
        JSON.stringify(gone),
      )
      t.notRegex(await readIp(sandbox.pod, ['link', 'show']), /eth0/)
      t.deepEqual(node.leases, [])
      const again = await chain.del(node.list, sandbox, undefined)
      t.true(
        again.every(({ code }) => code === 0),
        'a second DEL is no error',
      )
    })
  })
}

test.serial('behind ptp; what is not selected goes through without asking the agent', async (t) => {
  await using node = await ChainedNode.create({ cniVersion: '1.0.0', name: 'pods', plugins: [{ type: 'ptp' }] })
  const { fixture, chain } = node
  await logged(t, fixture, async () => {
    using ztunnel = await ScriptedZtunnel.connect(fixture.paths.socket)
    await ztunnel.saw('snapshotSent')
    const web = node.sandbox('web')
    fixture.putPod('web', undefined)
    t.is((await chain.add(node.list, web)).ran.at(-1)?.code, 0)
    t.like(await ztunnel.saw('add'), { uid: 'uid-web' })

    await fixture.stopAgent('SIGKILL')
    const free = node.sandbox('free')
    fixture.putPod('free', undefined, { [MODE]: 'none' })
    t.is((await chain.add(node.list, free)).ran.at(-1)?.code, 0)
    t.is(await readNft(free.pod, ['list', 'ruleset']), '')
  })
})

test.serial(
  'without the agent a captured pod does not start, the agent does, and nothing of either is left',
  async (t) => {
    await using node = await ChainedNode.create(bridge('1.0.0'))
    const { fixture, chain } = node
    await logged(t, fixture, async () => {
      await fixture.stopAgent('SIGKILL')
      const sandbox = node.sandbox('web')
      fixture.putPod('web', undefined)
      const { ran } = await chain.add(node.list, sandbox)
      const failure = ran.at(-1)
      t.is(failure?.code, 1)
      const told = JSON.parse(failure?.output ?? '') as { code: number; cniVersion: string; msg: string }
      t.like(told, { code: 100, cniVersion: '1.0.0' })
      t.regex(told.msg, /^istio-cni cmdAdd failed to contact node Istio CNI agent: /)
      t.true((await chain.del(node.list, sandbox, undefined)).every(({ code }) => code === 0))
      t.deepEqual(node.leases, [], 'its address is free again')

      const agent = await chain.add(node.list, node.sandbox('istio-cni-node-x1', 'istio-system'))
      t.is(agent.ran.at(-1)?.code, 0, 'nobody else would bring it back')
    })
  },
)

test.serial('what a runtime may get wrong is answered by the codes of the specification', async (t) => {
  await using node = await ChainedNode.create(bridge('1.0.0'))
  const { chain, fixture } = node
  const env = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0', CNI_ARGS: '' }
  const conf = { cniVersion: '1.1.0', name: 'pods', ...node.list.plugins.at(-1) }
  const ask = async (command: string, input: unknown, more: Readonly<Record<string, string>> = {}) => {
    const text = typeof input === 'string' ? input : JSON.stringify(input)
    const { code, output } = await chain.call('istio-cni', { ...env, CNI_COMMAND: command, ...more }, text)
    t.false(output.includes(TOKEN))
    return { code, answer: output === '' ? undefined : (JSON.parse(output) as { code?: number; msg?: string }) }
  }
  const refused = async (...args: Parameters<typeof ask>) => (await ask(...args)).answer?.code
  t.is(readFileSync(join(fixture.paths.run, 'istio-cni-kubeconfig'), 'utf8').includes(TOKEN), true)

  t.deepEqual(await ask('VERSION', { cniVersion: '0.4.0' }), {
    code: 0,
    answer: { cniVersion: '0.4.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] } as never,
  })
  for (const command of ['STATUS', 'GC', 'DEL']) t.deepEqual(await ask(command, conf), { code: 0, answer: undefined })
  t.is(await refused('ADD', { ...conf, cniVersion: '0.2.0' }), 1)
  t.is(await refused('CHECK', { ...conf, cniVersion: '0.3.1', prevResult: {} }), 1)
  t.is(await refused('ADD', conf, { CNI_CONTAINERID: '' }), 4)
  t.is(await refused('NONSENSE', conf), 4)
  t.is(await refused('ADD', 'x'.repeat(1024 * 1024 + 1)), 5)
  t.is(await refused('ADD', '{"cniVersion":'), 6)
  t.is(await refused('CHECK', conf), 7)
  const stranger = { CNI_ARGS: 'K8S_POD_NAMESPACE=apps;K8S_POD_NAME=../../secrets' }
  t.is(await refused('ADD', conf, stranger), 4)
})
