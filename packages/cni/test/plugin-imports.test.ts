import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { launcherScript } from '../src/launcher.ts'

/** What the file and all files of this package it loads import from elsewhere. */
function foreignImports(file: string, seen: Set<string> = new Set()): Set<string> {
  const foreign = new Set<string>()
  if (seen.has(file)) return foreign
  seen.add(file)
  for (const [, clause = '', name = ''] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) ([^']*?)from '([^']+)'/gms,
  )) {
    if (clause.startsWith('type ')) continue
    const found = name.startsWith('.') ? foreignImports(join(dirname(file), name), seen) : [name]
    for (const each of found) foreign.add(each)
  }
  return foreign
}

test('the plugin, which starts for every pod, loads nothing large', (t) => {
  const foreign = foreignImports(join(import.meta.dirname, '../src/plugin.ts'))
  t.deepEqual([...foreign].filter((name) => !name.startsWith('node:')).sort(), ['@ambit/api/labels', '@ambit/core'])
})

test('commands that have nothing to do start no Node and still read their configuration', (t) => {
  const script = launcherScript({ compileCache: '/none', command: 'exit 7' })
  for (const [command, code] of [
    ['DEL', 0],
    ['STATUS', 0],
    ['CHECK', 7],
    ['ADD', 7],
    ['VERSION', 7],
  ] as const) {
    const ran = spawnSync('/bin/sh', ['-c', script.replace('exec exit', 'exit')], {
      input: '{"cniVersion": "1.0.0"}\n'.repeat(1000),
      env: { CNI_COMMAND: command },
    })
    t.is(ran.status, code, command)
    t.is(ran.stdout.length, 0)
  }
})
