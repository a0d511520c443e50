import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { COMMAND_TREE } from '../src/command-tree.ts'
import { bashScript } from '../src/completion/bash-script.ts'
import { completionNodes } from '../src/completion/completion-nodes.ts'
import { zshScript } from '../src/completion/zsh-script.ts'
import { GLOBAL_FLAGS } from '../src/global-flags.ts'
import type { CommandSpec } from '../src/grammar/command.types.ts'
import { startTestMesh } from './support/test-mesh.ts'

const NODES = completionNodes(COMMAND_TREE, GLOBAL_FLAGS)

const execute = promisify(execFile)

/** Runs a shell while this process goes on: the API server a completion asks may live in it. */
async function offersOf(
  shell: string,
  options: readonly string[],
  script: string,
  o: Driven,
): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ambit-completion-'))
  try {
    const path = join(folder, '_script')
    await writeFile(path, script)
    const { stdout } = await execute(shell, [...options, o.driver, 'shell', path, ...o.words], {
      env: o.env ?? process.env,
    })
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Driven {
  readonly driver: string
  readonly words: readonly string[]
  readonly env?: NodeJS.ProcessEnv | undefined
}

/** What bash offers for the last word; `=` is a word of its own, as bash breaks lines. */
function bashOffers(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const driver =
    'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ambit; printf "%s\\n" "${COMPREPLY[@]}"'
  return offersOf('bash', ['--norc', '-uc'], bashScript(NODES), { driver, words, env })
}

/** What zsh offers: its own functions for showing a choice print it instead. */
async function zshOffers(words: readonly string[]): Promise<readonly string[]> {
  const driver = [
    'compdef() { :; }',
    '_describe() { [[ $1 == -o ]] && shift; print -rl -- ${(P)2} ; }',
    'compadd() { [[ $1 == -- ]] && shift; print -rl -- $@ ; }',
    '_files() { print files ; }; _message() { : ; }; compset() { : ; }',
    'source "$1"; shift; words=("$@"); CURRENT=$#; _ambit',
  ].join('\n')
  const shown = await offersOf('zsh', ['-fc'], zshScript(NODES), { driver, words })
  const last = (words.at(-1) ?? '').replace(/^--[^=]*=/, '')
  // zsh itself drops what does not begin with the word.
  return shown.map((line) => line.replace(/(?<!\\):.*$/, '')).filter((word) => word.startsWith(last))
}

interface Case {
  readonly words: readonly string[]
  readonly offers: readonly string[]
}
const CASES: readonly Case[] = [
  { words: ['ambit', 'way'], offers: ['waypoint'] },
  { words: ['ambit', 'waypoint', ''], offers: ['apply', 'generate', 'delete', 'list', 'status'] },
  { words: ['ambit', 'x', 'waypoint', 'ap'], offers: ['apply'] },
  { words: ['ambit', '-n', 'list', 'waypoint', 'l'], offers: ['list'] },
  { words: ['ambit', 'zc', 'wo'], offers: ['workload', 'workloads'] },
  { words: ['ambit', 'waypoint', 'apply', '--en'], offers: ['--enroll-namespace'] },
  {
    words: ['ambit', 'waypoint', 'apply', '--name', 'x', '--wait', '--kubec'],
    offers: ['--kubeconfig', '--kubeclient-timeout'],
  },
  { words: ['ambit', 'zc', 'all', '-o', ''], offers: ['short', 'json', 'yaml'] },
  { words: ['ambit', 'zc', 'all', '-o', 'y'], offers: ['yaml'] },
  { words: ['ambit', 'waypoint', 'apply', '--name', ''], offers: [] },
  { words: ['ambit', 'help', 'inst'], offers: ['install'] },
  { words: ['ambit', 'kube-inj'], offers: [] },
]

for (const { words, offers } of CASES) {
  test(`bash: ${words.join(' ')}▏`, async (t) => {
    t.deepEqual((await bashOffers(words)).toSorted(), offers.toSorted())
  })
}

test('bash: --output=j, which it splits at the equals sign', async (t) => {
  t.deepEqual(await bashOffers(['ambit', 'zc', 'all', '--output', '=', 'j']), ['json'])
  t.deepEqual(await bashOffers(['ambit', 'zc', 'all', '--output', '=']), ['short', 'json', 'yaml'])
})

test('bash: namespaces come from the cluster, and nothing when there is none', async (t) => {
  await using mesh = await startTestMesh({ gatewayApi: false })
  await mesh.must('create', 'ns', 'shop')
  const env = await mesh.api.environment()
  t.deepEqual(await bashOffers(['ambit', 'waypoint', 'apply', '-n', 'sh'], env), ['shop'])
  t.deepEqual(await bashOffers(['ambit', 'waypoint', 'apply', '-n', 'sh'], { ...env, KUBECONFIG: '/nowhere' }), [])
})

test('bash completes every command, alias and flag of the tree', async (t) => {
  const asked: Promise<void>[] = []
  const visit = <C>(command: CommandSpec<C>, path: readonly string[]): void => {
    const flags = (command.flags ?? []).map((flag) => `--${flag.name}`)
    asked.push(offer([...path, '-'], flags))
    for (const child of command.subcommands ?? []) {
      if (child.notYet !== undefined) continue
      for (const word of [child.name, ...(child.aliases ?? [])]) asked.push(offer([...path, word], [word]))
      visit(child, [...path, child.name])
    }
  }
  const offer = async (words: readonly string[], wanted: readonly string[]): Promise<void> => {
    const offers = await bashOffers(words)
    for (const word of wanted) t.true(offers.includes(word), `${words.join(' ')}: ${word}`)
  }
  visit(COMMAND_TREE, ['ambit'])
  await Promise.all(asked)
})

for (const { words, offers } of CASES) {
  test(`zsh: ${words.join(' ')}▏`, async (t) => {
    t.deepEqual((await zshOffers(words)).toSorted(), offers.toSorted())
  })
}
test('zsh: --output=j', async (t) => {
  t.deepEqual(await zshOffers(['ambit', 'zc', 'all', '--output=j']), ['json'])
})
