import { readFile } from 'node:fs/promises'
import test from 'ava'
import * as fc from 'fast-check'
import { COMMAND_TREE } from '../src/command-tree.ts'
import { GLOBAL_FLAGS } from '../src/global-flags.ts'
import type { CommandSpec } from '../src/grammar/command.types.ts'
import { EXIT } from '../src/grammar/exit-codes.ts'
import { helpText } from '../src/grammar/help-text.ts'
import { parseCommandLine } from '../src/grammar/parse-command-line.ts'
import { parseDuration } from '../src/grammar/parse-duration.ts'

const parse = (line: string) => parseCommandLine(COMMAND_TREE, GLOBAL_FLAGS, line === '' ? [] : line.split(' '))

const runs = test.macro({
  exec(
    t,
    line: string,
    path: string,
    flags: Readonly<Record<string, string | true>>,
    positionals: readonly string[] = [],
  ) {
    const verdict = parse(line)
    if (verdict.kind !== 'run') {
      t.fail(`${verdict.kind}: ${'message' in verdict ? verdict.message : ''}`)
      return
    }
    t.is(verdict.path.join(' '), path)
    t.deepEqual(verdict.invocation.positionals, positionals)
    for (const [name, value] of Object.entries(flags)) {
      if (value === true) t.true(verdict.invocation.flags.has(name))
      else t.is(verdict.invocation.flags.text(name), value)
    }
  },
  title: (_, line: string) => `runs: ambit ${line}`,
})

test(runs, 'sandbox up --nodes 2', 'ambit sandbox up', { nodes: '2' })
test(runs, 'sandbox up --name=x --install', 'ambit sandbox up', { install: true })
test(runs, 'sandbox up --install --set a=b', 'ambit sandbox up', { install: true, set: 'a=b' })
test(runs, 'install --set profile=ambient --skip-confirmation', 'ambit install', {
  'skip-confirmation': true,
  set: 'profile=ambient',
})
test(runs, 'apply -y', 'ambit install', { 'skip-confirmation': true })
test(runs, '-n foo zc w', 'ambit ztunnel-config workload', { namespace: 'foo' })
test(runs, 'zc w -nfoo', 'ambit ztunnel-config workload', { namespace: 'foo' })
test(runs, 'zc w -n=foo', 'ambit ztunnel-config workload', { namespace: 'foo' })
test(runs, 'ztunnel-config workloads ztunnel-abc', 'ambit ztunnel-config workload', {}, ['ztunnel-abc'])
test(runs, 'ztunnel-config all -o json', 'ambit ztunnel-config all', { output: 'json' })
test(runs, 'zc cons --direction inbound --raw --tls', 'ambit ztunnel-config connections', {
  direction: 'inbound',
  raw: true,
})
test(runs, 'ps -v 1 -- -odd', 'ambit proxy-status', { verbosity: '1' }, ['-odd'])
test(runs, 'uninstall --purge -y', 'ambit uninstall', { purge: true })
test(runs, 'waypoint --name w apply --enroll-namespace -w', 'ambit waypoint apply', {
  name: 'w',
  'enroll-namespace': true,
  wait: true,
})
test(runs, 'x waypoint apply -s bookinfo-reviews', 'ambit experimental waypoint apply', {
  'service-account': 'bookinfo-reviews',
})
test(runs, 'exp waypoint list -A', 'ambit experimental waypoint list', { 'all-namespaces': true })
test(runs, 'waypoint delete a b c', 'ambit waypoint delete', {}, ['a', 'b', 'c'])
test(runs, 'waypoint status -w=false --waypoint-timeout 1m30s', 'ambit waypoint status', { wait: 'false' })
test(runs, 'x ps', 'ambit experimental proxy-status', {})
test(runs, 'version --remote=false', 'ambit version', { remote: 'false' })

const refuses = test.macro({
  exec(t, line: string, message: RegExp) {
    const verdict = parse(line)
    t.true(verdict.kind === 'usage' || verdict.kind === 'not-yet', verdict.kind)
    t.regex('message' in verdict ? verdict.message : '', message)
  },
  title: (_, line: string) => `refuses: ambit ${line}`,
})

test(refuses, 'instal', /did you mean "install"/)
test(refuses, 'install --nodes 2', /unknown flag "--nodes"/)
test(refuses, 'install extra', /unexpected argument "extra"/)
test(refuses, 'sandbox up --nodes two', /needs a number/)
test(refuses, 'sandbox up --nodes', /needs a value/)
test(refuses, 'zc w -o table', /one of short, json, yaml/)
test(refuses, 'install -y=maybe', /either true or false/)
test(refuses, 'waypoint apply --waypoint-timeout soon', /needs a duration such as 90s/)
test(refuses, 'waypoint apply extra', /unexpected argument "extra"/)
test(refuses, 'waypoint aply', /did you mean "apply"/)
test(refuses, 'sandbox up --node 2', /unknown flag "--node"; did you mean "--nodes"\?/)
test(refuses, '--hlep', /did you mean "--help"\?/)
test(refuses, '--version', /did you mean "version"\?/)
test(refuses, 'zc wl', /unknown command "wl" for "ambit ztunnel-config"$/)
test(refuses, 'pc listener x', /no Envoy/)
test(refuses, 'x authz check', /does not have it yet/)

test('no arguments, --help and -h ask for help, even after a flag that does not exist', (t) => {
  t.is(parse('').kind, 'help')
  t.is(parse('zc').kind, 'help')
  t.is(parse('install --help').kind, 'help')
  t.is(parse('install -h --nope').kind, 'help')
})

test('a repeatable flag keeps all its values, another one its last', (t) => {
  const verdict = parse('install --set a=1 -s b=2')
  if (verdict.kind !== 'run') {
    t.fail()
    return
  }
  t.deepEqual(verdict.invocation.flags.list('set'), ['a=1', 'b=2'])
  const other = parse('zc w --node a --node b')
  if (other.kind === 'run') t.is(other.invocation.flags.text('node'), 'b')
})

const duration = test.macro({
  exec(t, text: string, expected: number | undefined) {
    t.is(parseDuration(text), expected)
  },
  title: (_, text: string) => `duration "${text}"`,
})
test(duration, '90s', 90_000)
test(duration, '1m30s', 90_000)
test(duration, '1.5h', 5_400_000)
test(duration, '250ms', 250)
test(duration, '300', 300_000)
test(duration, '', undefined)
test(duration, '-1s', undefined)
test(duration, '1 s', undefined)
test(duration, '1x', undefined)

test('more arguments than the limit are refused', (t) => {
  t.is(
    parseCommandLine(
      COMMAND_TREE,
      GLOBAL_FLAGS,
      Array.from({ length: 1001 }, () => 'x'),
    ).kind,
    'usage',
  )
})

test('every command has help that names its flags and the exit status', (t) => {
  const visit = <C>(command: CommandSpec<C>, path: readonly string[]): void => {
    if (command.notYet !== undefined) return
    const text = helpText(command, path, GLOBAL_FLAGS)
    t.true(text.includes(command.summary))
    for (const flag of command.flags ?? []) t.true(text.includes(`--${flag.name}`), `${path.join(' ')} ${flag.name}`)
    t.regex(text, /Exit status/)
    for (const child of command.subcommands ?? []) visit(child, [...path, child.name])
  }
  visit(COMMAND_TREE, ['ambit'])
})

test('no short or long flag means two things in one command', (t) => {
  const visit = <C>(command: CommandSpec<C>): void => {
    const flags = [...GLOBAL_FLAGS, ...(command.flags ?? [])]
    const names = flags.flatMap((flag) => (flag.short === undefined ? [flag.name] : [flag.name, `-${flag.short}`]))
    t.is(new Set(names).size, names.length, command.name)
    for (const child of command.subcommands ?? []) visit(child)
  }
  visit(COMMAND_TREE)
})

test('whatever the arguments, parsing ends with a verdict', (t) => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'sandbox',
      'up',
      'zc',
      'w',
      'install',
      '-n',
      '-o',
      '--',
      '-',
      '--set',
      '--set=',
      '-h',
      '--nodes=3',
      '__proto__',
      '--__proto__',
    ),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (args) => {
      const verdict = parseCommandLine(COMMAND_TREE, GLOBAL_FLAGS, args)
      t.true(['run', 'help', 'usage', 'not-yet'].includes(verdict.kind))
    }),
  )
})

test('docs/cli.md names every command, its aliases and the flags of all commands', async (t) => {
  const text = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8')
  const visit = <C>(command: CommandSpec<C>): void => {
    if (command.notYet !== undefined) return
    t.true(text.includes(command.name), command.name)
    for (const child of command.subcommands ?? []) visit(child)
  }
  visit(COMMAND_TREE)
  for (const { aliases = [], notYet } of COMMAND_TREE.subcommands ?? []) {
    for (const alias of notYet === undefined ? aliases : []) t.true(text.includes(`\`${alias}\``), alias)
  }
  for (const flag of GLOBAL_FLAGS) t.true(text.includes(`--${flag.name}`), flag.name)
  for (const code of Object.values(EXIT)) t.regex(text, new RegExp(`^\\| ${code} `, 'm'))
})

test('help is the same by -h, --help and help', (t) => {
  for (const line of ['waypoint apply -h', 'waypoint apply --help', 'x waypoint -h']) t.is(parse(line).kind, 'help')
})
