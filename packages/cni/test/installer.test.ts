import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@ambit/core'
import test from 'ava'
import { CniInstaller, type InstallerOptions } from '../src/installer.ts'
import { CNI_CONFIG_MAX_BYTES } from '../src/limits.ts'

const PLUGIN = { type: 'istio-cni', name: 'istio-cni' }

class Recorder {
  ready: number[] = []
  results: string[] = []
}

function fixture(o: Partial<InstallerOptions> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'installer-'))
  const at = (name: string) => join(folder, name)
  for (const name of ['bin', 'net.d', 'run']) mkdirSync(at(name))
  const seen = new Recorder()
  const installer = new CniInstaller(
    {
      clock: systemClock,
      logger: silentLogger,
      ready: { set: (_labels, value) => void seen.ready.push(value), add: () => undefined },
      installs: { add: (labels) => void seen.results.push(labels['result'] ?? '') },
    },
    {
      binDir: at('bin'),
      configDir: at('net.d'),
      runDir: at('run'),
      launcher: '#!/bin/sh\n',
      plugin: PLUGIN,
      kubeconfigName: 'kubeconfig',
      kubeconfig: () => Promise.resolve('{}'),
      ...o,
    },
  )
  return { folder, at, seen, installer }
}

const types = (path: string): string[] =>
  (JSON.parse(readFileSync(path, 'utf8')) as { plugins: { type: string }[] }).plugins.map(({ type }) => type)

test('a single-plugin file becomes a chain under a list name, and the old file goes', async (t) => {
  const { folder, at, installer } = fixture()
  writeFileSync(at('net.d/10-net.conf'), '{"cniVersion":"0.3.1","name":"n","type":"bridge"}')
  await installer.start()
  t.deepEqual(readdirSync(at('net.d')), ['10-net.conflist'])
  t.deepEqual(types(at('net.d/10-net.conflist')), ['bridge', 'istio-cni'])
  t.is(statSync(at('bin/istio-cni')).mode & 0o777, 0o755)
  await installer.uninstall()
  t.deepEqual(types(at('net.d/10-net.conflist')), ['bridge'])
  t.deepEqual(readdirSync(at('bin')), [])
  rmSync(folder, { recursive: true })
})

test('a configuration of our own leaves the other alone, and goes with us', async (t) => {
  const { folder, at, installer } = fixture({ ownedConfigName: '02-istio-cni.conflist' })
  const other = '{"name":"n","plugins":[{"type":"bridge"}]}'
  writeFileSync(at('net.d/10-net.conflist'), other)
  await installer.start()
  t.is(readFileSync(at('net.d/10-net.conflist'), 'utf8'), other)
  t.deepEqual(types(at('net.d/02-istio-cni.conflist')), ['bridge', 'istio-cni'])
  await installer.uninstall()
  t.deepEqual(readdirSync(at('net.d')), ['10-net.conflist'])
  rmSync(folder, { recursive: true })
})

test('it waits for another plugin to be configured', async (t) => {
  const { folder, at, seen, installer } = fixture()
  const started = installer.start()
  while (seen.results.length === 0) await new Promise((resolve) => setImmediate(resolve))
  t.is(seen.results[0], 'NO_CONFIG')
  t.false(installer.installed)
  writeFileSync(at('net.d/10-net.conflist'), '{"name":"n","plugins":[{"type":"bridge"}]}')
  await started
  t.true(installer.installed)
  t.is(seen.ready.at(-1), 1)
  await installer.close()
  rmSync(folder, { recursive: true })
})

test('a configuration that cannot be read stays as it is, and the agent is not ready', async (t) => {
  const { folder, at, seen, installer } = fixture()
  writeFileSync(at('net.d/10-net.conflist'), '{ broken')
  void installer.start()
  while (seen.results.length === 0) await new Promise((resolve) => setImmediate(resolve))
  t.is(seen.results[0], 'FAILURE')
  t.is(readFileSync(at('net.d/10-net.conflist'), 'utf8'), '{ broken')
  t.false(installer.installed)
  await installer.close()
  rmSync(folder, { recursive: true })
})

test('it is taken away even when the folder of configurations has gone before', async (t) => {
  const { folder, at, installer } = fixture()
  writeFileSync(at('net.d/10-net.conflist'), '{"name":"n","plugins":[{"type":"bridge"}]}')
  await installer.start()
  rmSync(at('net.d'), { recursive: true })
  await t.notThrowsAsync(installer.uninstall())
  t.deepEqual(readdirSync(at('bin')), [])
  t.deepEqual(readdirSync(at('run')), [])
  rmSync(folder, { recursive: true })
})

test('a configuration above the limit is not read, and the agent is not ready', async (t) => {
  const { folder, at, seen, installer } = fixture()
  writeFileSync(at('net.d/10-net.conflist'), Buffer.alloc(CNI_CONFIG_MAX_BYTES + 1, ' '))
  void installer.start()
  while (seen.results.length === 0) await new Promise((resolve) => setImmediate(resolve))
  t.is(seen.results[0], 'NO_CONFIG')
  t.false(installer.installed)
  await installer.close()
  rmSync(folder, { recursive: true })
})
