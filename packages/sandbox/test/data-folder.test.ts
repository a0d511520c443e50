import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { systemClock } from '@ambit/core'
import test from 'ava'
import { ApiCore } from '../src/apiserver/api-core.ts'
import type { Gvr } from '../src/apiserver/contract.types.ts'
import { DataFolder } from '../src/host/data-folder.ts'
import { clusterKeys } from '../src/host/kept-keys.ts'
import { silent } from './apiserver/harness.ts'

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' }
const CRDS: Gvr = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' }
const THINGS: Gvr = { group: 'example.com', version: 'v1', resource: 'things' }

function folderFor(t: { teardown(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'ambit-data-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data')
}

/** A cluster on a folder; closing it is what a clean end does. */
function open(folder: string) {
  const data = DataFolder.open(folder)
  const core = new ApiCore({ clock: systemClock, logger: silent, caPem: '', journal: data })
  const close = (): void => {
    core[Symbol.dispose]()
    data[Symbol.dispose]()
  }
  return { data, core, client: core.client('test'), close }
}

const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  data: { value },
})

test('objects, definitions and versions go on after an end', async (t) => {
  const folder = folderFor(t)
  const first = open(folder)
  await first.client.create(CONFIG_MAPS, configMap('kept', '1'))
  await first.client.create(CONFIG_MAPS, configMap('removed', '1'))
  await first.client.create(CRDS, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  })
  await first.client.create(THINGS, {
    apiVersion: 'example.com/v1',
    kind: 'Thing',
    metadata: { name: 'one', namespace: 'default' },
  })
  const kept = await first.client.get(CONFIG_MAPS, 'default', 'kept')
  await first.client.delete(CONFIG_MAPS, 'default', 'removed')
  const { resourceVersion } = await first.client.list(CONFIG_MAPS)
  first.close()

  const second = open(folder)
  t.teardown(second.close)
  t.deepEqual(await second.client.get(CONFIG_MAPS, 'default', 'kept'), kept)
  await t.throwsAsync(second.client.get(CONFIG_MAPS, 'default', 'removed'), { message: /not found/ })
  t.is((await second.client.get(THINGS, 'default', 'one')).metadata.name, 'one')
  t.is((await second.client.list(CONFIG_MAPS)).resourceVersion, resourceVersion)
  const next = await second.client.create(CONFIG_MAPS, configMap('next', '1'))
  t.true(Number(next.metadata.resourceVersion) > Number(resourceVersion))
  const stale = second.client.watch(CONFIG_MAPS, {
    resourceVersion: String(Number(resourceVersion) - 1),
    signal: new AbortController().signal,
  })
  await t.throwsAsync(
    async () => {
      for await (const _event of stale) break
    },
    { message: /too old resource version/ },
  )
})

test('what a killed process had answered is there', async (t) => {
  const folder = folderFor(t)
  const program = `
    const { DataFolder } = await import(${JSON.stringify(new URL('../src/host/data-folder.ts', import.meta.url).href)})
    const data = DataFolder.open(${JSON.stringify(folder)})
    for (let n = 1; ; n++) {
      data.put('/configmaps', 'default/n', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'n', namespace: 'default', resourceVersion: String(n) } })
      process.stdout.write(n + '\\n')
      // Lets the numbers out.
      if (n % 20 === 0) await new Promise(setImmediate)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let answered = 0
  child.stdout.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().trim().split('\n')) answered = Math.max(answered, Number(line))
    if (answered > 500) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const data = DataFolder.open(folder)
  t.teardown(() => data[Symbol.dispose]())
  const { revision, objects } = data.load()
  t.is(objects.length, 1)
  // The last number may have been written while its line was not yet read.
  t.true(revision >= answered, `${revision} of ${answered}`)
})

test('a torn end of the log costs its last change and no more', (t) => {
  const folder = folderFor(t)
  const database = join(folder, 'cluster.db')
  const written = DataFolder.open(folder)
  for (let n = 1; n <= 10; n++) written.setFact(`fact-${n}`, 'x'.repeat(5000))
  // As a machine that failed in the middle of a write leaves it.
  const log = `${database}-wal`
  const copy = mkdtempSync(join(tmpdir(), 'ambit-torn-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  const bytes = statSync(log).size
  const copies = ['cluster.db', 'cluster.db-wal'].map((name) => join(copy, name))
  for (const [index, file] of [database, log].entries()) {
    writeFileSync(copies[index] ?? '', readFileSync(file))
  }
  written[Symbol.dispose]()
  truncateSync(copies[1] ?? '', bytes - 100)
  const torn = DataFolder.open(copy)
  t.teardown(() => torn[Symbol.dispose]())
  t.is(torn.fact('fact-9')?.length, 5000)
  t.is(torn.fact('fact-10'), undefined)
})

test('a folder in use, of another version or of something else is refused; only the owner reads it', (t) => {
  const folder = folderFor(t)
  const first = DataFolder.open(folder)
  t.throws(() => DataFolder.open(folder), { message: /in use by another sandbox/ })
  first.setFact('a', 'b')
  for (const name of ['cluster.db', 'cluster.db-wal']) t.is(statSync(join(folder, name)).mode & 0o777, 0o600, name)
  first[Symbol.dispose]()

  const database = new DatabaseSync(join(folder, 'cluster.db'))
  database.exec('PRAGMA user_version = 7')
  database.close()
  t.throws(() => DataFolder.open(folder), { message: /has version 7 .* reads version 1/ })

  const other = folderFor(t)
  DataFolder.open(other)[Symbol.dispose]()
  writeFileSync(
    join(other, 'cluster.db'),
    'a letter to a friend, longer than the header of a database is wont to be: '.repeat(20),
  )
  t.throws(() => DataFolder.open(other), { message: /no data of a sandbox, or damaged/ })
  t.throws(() => DataFolder.open('/proc/nowhere'), { message: /can't hold a sandbox's data/ })
})

test('keys and certificates stay, until their time is nearly over', (t) => {
  const folder = folderFor(t)
  const data = DataFolder.open(folder)
  t.teardown(() => data[Symbol.dispose]())
  const names = ['127.0.0.1']
  const nowMs = Date.now()
  const first = clusterKeys(data, { names, nowMs })
  t.deepEqual(clusterKeys(data, { names, nowMs }), first)
  const later = clusterKeys(data, { names, nowMs: nowMs + 340 * 24 * 3600 * 1000 })
  t.not(later.pki.caPem, first.pki.caPem)
  t.not(clusterKeys(undefined, { names, nowMs }).tokenKeyPem, first.tokenKeyPem)
})
