import { join } from 'node:path'
import test from 'ava'
import { bundleProgram } from '../src/plugin-bundle.ts'
import { mappedLibraries } from '../src/plugin-runtime.ts'

const PLUGIN = join(import.meta.dirname, '../src/plugin.ts')

test('the bundle imports nothing but itself and Node', (t) => {
  const modules = bundleProgram(PLUGIN)
  t.is([...modules.keys()][0], 'cni-plugin.mjs')
  for (const [name, text] of modules) {
    for (const [, specifier = ''] of text.matchAll(/^(?:import\b[^;]*?|export\b[^;='(]*?from) '([^']+)'/gm))
      t.true(specifier.startsWith('node:') || modules.has(specifier.slice(2)), `${name} imports ${specifier}`)
  }
})

test('libraries of a process are read off its memory map', (t) => {
  const maps = [
    '5581c000-5581d000 r-xp 00000000 fe:00 1 /usr/local/bin/node',
    '7f00-7f01 r--p 00000000 fe:00 2 /usr/lib/libc.so.6',
    '7f01-7f02 r-xp 00000000 fe:00 2                         /usr/lib/libc.so.6',
    '7f03-7f04 r-xp 00000000 fe:00 3                         /usr/lib64/ld-linux-x86-64.so.2',
    '7ffc-7ffd r-xp 00000000 00:00 0                          [vdso]',
  ].join('\n')
  t.deepEqual(mappedLibraries(maps), ['/usr/lib/libc.so.6', '/usr/lib64/ld-linux-x86-64.so.2'])
})
