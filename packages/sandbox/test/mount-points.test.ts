import { mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { BaseRoot } from '../src/host/base-root.ts'
import { type Mount, type MountPlan, planMountPoints } from '../src/kubelet/mount-points.ts'

async function world(t: ExecutionContext) {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'ambit-mounts-')))
  t.teardown(() => rm(folder, { recursive: true }))
  for (const path of ['usr/share/doc', 'dev', 'volume', 'other', 'layers'])
    await mkdir(join(folder, path), { recursive: true })
  await writeFile(join(folder, 'file'), '')
  const mounts = ['/usr', '/dev'].map((target) => ({ source: `${folder}${target}`, target }))
  const base: BaseRoot = { folder, skeleton: '', mounts, program: [] }
  const plan = (...list: readonly Mount[]): Promise<MountPlan> =>
    planMountPoints({ base, mounts: list, layers: join(folder, 'layers') })
  const mount = (source: string, target: string, more: Partial<Mount> = {}): Mount => ({
    source: join(folder, source),
    target,
    readOnly: false,
    ...more,
  })
  return { folder, plan, mount }
}

test('folders and files of the root are made there', async (t) => {
  const { plan, mount } = await world(t)
  const { files, folders, table } = await plan(mount('volume', '/data'), mount('file', '/etc/one'))
  t.deepEqual([folders, files], [['/data'], ['/etc/one']])
  t.deepEqual(
    table.map(({ target }) => target),
    ['/usr', '/dev', '/proc', '/data', '/etc/one'],
  )
})

test('what the machine lacks below its programs gets a layer, what it has is mounted as it is', async (t) => {
  const { folder, plan, mount } = await world(t)
  const { table } = await plan(mount('volume', '/usr/share/doc'), mount('volume', '/usr/share/nginx/html'))
  const [usr] = table
  t.is(usr?.type, 'overlay')
  t.deepEqual(usr?.options, [`lowerdir=${folder}/layers/usr:${folder}/usr`])
  t.true((await stat(join(folder, 'layers/usr/share/nginx/html'))).isDirectory())
  t.is((await plan(mount('volume', '/usr/share/doc'))).table[0]?.type, undefined)
})

test('a mount inside a volume has its point in that volume, unless the kubelet writes it or a link leads out', async (t) => {
  const { folder, plan, mount } = await world(t)
  const { files, folders } = await plan(
    mount('volume', '/work'),
    mount('other', '/work/in/side'),
    mount('file', '/work/f'),
  )
  t.deepEqual([folders, files], [['/work'], []])
  t.true((await stat(join(folder, 'volume/in/side'))).isDirectory())
  t.true((await stat(join(folder, 'volume/f'))).isFile())
  const fixed = mount('other', '/conf', { fixed: true })
  await t.throwsAsync(plan(fixed, mount('volume', '/conf/sub')), { message: /can't be written/ })
  await symlink('/', join(folder, 'volume/out'))
  await t.throwsAsync(plan(mount('volume', '/work'), mount('other', '/work/out/tmp')), { message: /leads out/ })
})

test('devices are shared, so a point among them is made there', async (t) => {
  const { folder, plan, mount } = await world(t)
  const { table } = await plan(mount('file', '/dev/termination-log'))
  t.is(table[1]?.type, undefined)
  t.true((await stat(join(folder, 'dev/termination-log'))).isFile())
})
