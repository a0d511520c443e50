import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { keepCompiledCode } from '../src/images/compiled-code.ts'

const workspace = join(import.meta.dirname, '../../..')

test('the code of all components is compiled ahead, once, for every user', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-compiled-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { signal } = new AbortController()
  await keepCompiledCode({ workspace, folder, signal, niceness: 0 })
  const names = await readdir(folder)
  const [mark] = names.filter((name) => name.startsWith('complete-'))
  t.truthy(mark)
  const tag = names.find((name) => name.endsWith(`-${process.getuid?.()}`)) ?? ''
  const files = await readdir(join(folder, tag))
  t.true(files.length > 300, `${files.length} files`)
  t.is((await stat(join(folder, tag, files[0] ?? ''))).mode & 0o777, 0o644)
  t.is((await readdir(join(folder, tag.replace(/-\d+$/, '-1337')))).length, files.length)

  // A component finds all of its code there: it would write what it missed.
  const { status } = spawnSync(
    process.execPath,
    ['-e', `await import(${JSON.stringify(join(workspace, 'packages/ztunnel/src/app.ts'))}); process.exit(0)`],
    { env: { ...process.env, NODE_COMPILE_CACHE: folder, NODE_OPTIONS: '--input-type=module' } },
  )
  t.is(status, 0)
  const later = await readdir(join(folder, tag))
  t.true(later.length - files.length <= 1, `${later.length - files.length} more files`)

  const before = (await stat(join(folder, mark ?? ''))).mtimeMs
  await keepCompiledCode({ workspace, folder, signal, niceness: 0 })
  t.is((await stat(join(folder, mark ?? ''))).mtimeMs, before)
})
