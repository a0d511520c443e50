import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { hasManyUsers } from '../src/cluster.ts'
import { keptMountFlags } from '../src/host/base-root.ts'
import { forbiddenMessage, unshareFlags } from '../src/host/namespaces.ts'
import { sandboxDown, sandboxStatus } from '../src/host/sandbox.ts'
import { shellQuote } from '../src/host/shell.ts'
import {
  ambitHome,
  isSandboxName,
  makeFolders,
  resetStateFolder,
  stateFolder,
  writePrivately,
} from '../src/host/state-folder.ts'
import { decodeNetworkConfig } from '../src/kubelet/cni.ts'
import { pathOnNode } from '../src/kubelet/node-root.ts'
import { keptCapabilities } from '../src/kubelet/rootfs.ts'
import { createClusterPki } from '../src/pki/cluster-pki.ts'

test('the message about forbidden user namespaces says what to type', (t) => {
  const ubuntu = forbiddenMessage('EPERM', (name) => (name.startsWith('kernel.apparmor') ? '1' : undefined))
  t.regex(ubuntu, /sudo sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0/)
  t.regex(
    forbiddenMessage('EPERM', () => undefined),
    /sudo.*--privileged/,
  )
})

test('only a rootless sandbox has a user namespace', (t) => {
  t.true(unshareFlags(true).includes('--user'))
  t.false(unshareFlags(false).includes('--user'))
  t.false(hasManyUsers('         0      65534          1\n'))
  t.true(hasManyUsers('         0          0 4294967295\n'))
})

test('flags of the innermost mount are kept in a remount', (t) => {
  const info =
    '1 0 8:1 / / rw,relatime - ext4 x rw\n2 1 8:2 / /home rw,nosuid,nodev,relatime - ext4 y rw\n3 1 8:3 / /homes ro,noexec - ext4 z rw\n'
  t.deepEqual(keptMountFlags('/home/me/x', info), ['nosuid', 'nodev', 'relatime'])
  t.deepEqual(keptMountFlags('/usr', info), ['relatime'])
})

test('sandbox names are safe in paths', (t) => {
  t.true(['a', 'ambit', 'a-1'].every(isSandboxName))
  t.false(['', '..', 'a/b', '-a', 'a-', 'A', 'a'.repeat(41)].some(isSandboxName))
})

test('ending a sandbox never removes a folder that is not a sandbox', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'ambit-home-'))
  t.teardown(() => rm(home, { recursive: true, force: true }))
  makeFolders(join(home, 'sandbox'), 0o700)
  await writeFile(join(home, 'mine'), '')
  for (const name of ['', '.', '..', '../mine', '../..']) {
    await t.throwsAsync(sandboxDown(name, home), { message: /can't be the name of a sandbox/ })
    t.throws(() => sandboxStatus(name, home), { message: /can't be the name of a sandbox/ })
  }
  t.true(existsSync(join(home, 'mine')))
})

test('where no folder can be made, one is told so, and what to set', (t) => {
  t.throws(() => resetStateFolder(stateFolder('/proc/ambit', 'a')), { message: /ENOENT.*\n.*AMBIT_HOME/ })
  t.throws(() => writePrivately('/dev/full', 'x'), { message: /no space.*\nFree some space/ })
  t.is(ambitHome({ AMBIT_HOME: 'here' }), join(process.cwd(), 'here'))
})

test('a path of a node never leaves it', (t) => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('..', '.', 'a', '')), (parts) =>
      pathOnNode('/nodes/1', parts.join('/')).startsWith('/nodes/1'),
    ),
  )
  t.is(pathOnNode('/nodes/1', '/../../etc'), '/nodes/1/etc')
})

test('a quoted word is one word to the shell', (t) => {
  t.is(shellQuote("a'b $x"), "'a'\\''b $x'")
})

test('capabilities are dropped before others are added', (t) => {
  t.deepEqual(keptCapabilities(['NET_ADMIN', 'CAP_SYS_ADMIN'], ['ALL']), ['net_admin', 'sys_admin'])
  t.false(keptCapabilities([], ['NET_RAW']).includes('net_raw'))
  t.is(keptCapabilities(['ALL'], []), 'all')
})

test('CNI configurations: a list, a single plugin, and nonsense', (t) => {
  t.is(decodeNetworkConfig('{"name":"n","plugins":[{"type":"a"},{"type":"b"}]}')?.plugins.length, 2)
  t.is(decodeNetworkConfig('{"type":"a"}')?.plugins[0]?.type, 'a')
  for (const bad of ['', '{', '[]', 'null', '{"plugins":[]}', '{"plugins":[{}]}', '{"plugins":[{"type":1}]}'])
    t.is(decodeNetworkConfig(bad), undefined)
  fc.assert(fc.property(fc.json(), (text) => void decodeNetworkConfig(text)))
})

test('the API certificate names hosts and addresses and verifies by its authority', (t) => {
  const pki = createClusterPki({ names: ['kubernetes', '127.0.0.1', '::1'], nowMs: Date.now() })
  const [ca, server, admin] = [pki.caPem, pki.server.certPem, pki.admin.certPem].map((pem) => new X509Certificate(pem))
  if (ca === undefined || server === undefined || admin === undefined) throw new Error('missing')
  t.true(ca.ca)
  t.true(ca.verify(ca.publicKey) && server.verify(ca.publicKey) && server.checkIssued(ca))
  t.is(server.subjectAltName, 'DNS:kubernetes, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1')
  t.is(admin.subject, 'O=system:masters\nCN=kubernetes-admin')
})
