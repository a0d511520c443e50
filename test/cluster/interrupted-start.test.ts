// Ctrl-C while a sandbox starts: nothing stays behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { eventually } from '../support/eventually.ts'

const ambit = join(import.meta.dirname, '../../node_modules/.bin/ambit')

/** Processes whose command line names the folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
    } catch {
      return false
    }
  })
}

/** SIGKILL ends the command only, so a sandbox that is ready stays. */
const INTERRUPTIONS = [
  { signal: 'SIGINT', phase: /network/, flags: [] },
  { signal: 'SIGKILL', phase: /network/, flags: [] },
  { signal: 'SIGINT', phase: /Istio core installed/, flags: ['--install'] },
] as const

for (const { signal, phase, flags } of INTERRUPTIONS) {
  test.serial(`a start ended by ${signal} at ${phase.source} leaves neither processes nor files`, async (t) => {
    const home = await mkdtemp(join(tmpdir(), 'ambit-interrupted-'))
    t.teardown(() => rm(home, { recursive: true, force: true }))
    const env = { ...process.env, AMBIT_HOME: home, HOME: home }
    // A group of its own: a terminal sends its signals to the whole group.
    const up = spawn(ambit, ['sandbox', 'up', ...flags, '--name', 'cut'], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(up, 'exit')
    let said = ''
    up.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    let shown = ''
    for await (const text of up.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
      shown += String(text)
      if (phase.test(shown)) break
    }
    up.stdout.resume()
    t.regex(shown, phase)
    t.true(processesOf(join(home, 'sandbox')).length > 0)
    process.kill(-(up.pid ?? 0), signal)
    const [code, by] = (await ended) as [number | null, NodeJS.Signals | null]
    if (signal === 'SIGINT') {
      t.true(code === 130, `ended with ${code} ${by}`)
      t.regex(said, /Interrupted/)
    }
    await eventually(
      () =>
        Promise.resolve([
          ...processesOf(join(home, 'sandbox')),
          ...(existsSync(join(home, 'sandbox/cut')) ? ['files'] : []),
        ]),
      (left) => left.length === 0,
      20_000,
      'nothing is left',
    )
  })
}
