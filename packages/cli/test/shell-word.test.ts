import { execFileSync } from 'node:child_process'
import test from 'ava'
import { shellWord } from '../src/sandbox/shell-word.ts'

for (const word of ['/home/a/.ambit/kubeconfig', '/home/a b/#1', "it's", '$HOME `id` "x"', '']) {
  test(`a shell reads back what is printed: ${JSON.stringify(word)}`, (t) => {
    t.is(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' }), word)
  })
}

test('a plain path is printed as it is', (t) => {
  t.is(shellWord('/home/a/.ambit/kubeconfig'), '/home/a/.ambit/kubeconfig')
})
