// Among the tests that are root in namespaces of their own, because it looks at the plugin from a root folder of its own.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { launcherScript, runtimeCommand } from '../src/launcher.ts'
import {
  installRuntime,
  mappedLibraries,
  pluginRuntime,
  RUNTIME_FOLDER,
  removeOtherRuntimes,
} from '../src/plugin-runtime.ts'

const PLUGIN = join(import.meta.dirname, '../src/plugin.ts')

/** A root folder that holds a shell and what the shell needs, and nothing else. */
function bareRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'bare-'))
  const loader = readdirSync('/lib64').find((name) => name.startsWith('ld-linux'))
  const maps = execFileSync('/bin/sh', ['-c', 'while read -r line; do echo "$line"; done < /proc/$$/maps'], {
    encoding: 'utf8',
  })
  const files = ['/bin/sh', ...mappedLibraries(maps), ...(loader === undefined ? [] : [`/lib64/${loader}`])]
  for (const file of files) {
    // Debian's /lib is a link to /usr/lib; the loader looks in both.
    for (const path of new Set([file, file.replace(/^\/usr\/lib/, '/lib')])) {
      mkdirSync(join(root, dirname(path)), { recursive: true })
      copyFileSync(file, join(root, path))
    }
  }
  return root
}

test('a node without Node and its libraries runs the plugin, of one version at a time', async (t) => {
  const root = bareRoot()
  const bin = join(root, 'opt/cni/bin')
  mkdirSync(bin, { recursive: true })
  const runtime = await pluginRuntime(PLUGIN)
  t.true(await installRuntime(bin, runtime))
  t.false(await installRuntime(bin, runtime), 'it is there already')
  mkdirSync(join(bin, RUNTIME_FOLDER, 'former'))
  await removeOtherRuntimes(bin, runtime.id)
  t.deepEqual(readdirSync(join(bin, RUNTIME_FOLDER)), [runtime.id])
  const launcher = join(bin, 'istio-cni')
  writeFileSync(launcher, launcherScript({ command: runtimeCommand(runtime), compileCache: '/run/cache' }))
  chmodSync(launcher, 0o755)
  const ran = spawnSync('unshare', ['--root', root, '/opt/cni/bin/istio-cni'], {
    env: { PATH: process.env['PATH'], CNI_COMMAND: 'VERSION' },
    input: '{"cniVersion":"1.0.0"}',
    encoding: 'utf8',
  })
  t.is(ran.stderr, '')
  t.like(JSON.parse(ran.stdout), { cniVersion: '1.0.0' })
  await removeOtherRuntimes(bin, undefined)
  t.deepEqual(readdirSync(bin), ['istio-cni'])
  rmSync(root, { recursive: true })
})
