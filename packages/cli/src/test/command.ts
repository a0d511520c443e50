import type { Context } from '../context.types.ts'
import type { CommandSpec } from '../grammar/command.types.ts'

/** `ambit test`. Loaded when it runs: it knows all that the control plane and the proxies know. */
export const testCommand: CommandSpec<Context> = {
  name: 'test',
  summary: 'Test policies without a cluster: who reaches whom, by which rule, as the proxies themselves decide',
  details:
    'A FILE may be a folder, which is read with all in it, or - for stdin. Documents of kind PolicyTest are tests, all others the mesh ' +
    'they are about: docs/policy-tests.md. Exit status: 81 a case came out otherwise, 82 coverage is below --coverage-threshold, 65 a ' +
    'file or a test could not be understood.',
  examples: [
    'ambit test policies/ tests/',
    'ambit test -o junit policies/ tests/ > results.xml',
    'ambit test --coverage --coverage-threshold 90 policies/ tests/',
    'ambit test --watch --run "ratings*DELETE" policies/ tests/',
  ],
  positional: { name: 'FILE...', min: 0, max: 1000 },
  flags: [
    {
      name: 'output',
      short: 'o',
      kind: 'text',
      placeholder: 'FORMAT',
      choices: ['text', 'tap', 'junit', 'json'],
      summary: 'output format (text)',
    },
    {
      name: 'run',
      kind: 'list',
      placeholder: 'PATTERN',
      summary: 'only cases with this in "TEST: NAME", * stands for anything; repeatable',
    },
    { name: 'fail-fast', kind: 'none', summary: 'stop at the first case that comes out otherwise' },
    { name: 'list', short: 'l', kind: 'none', summary: 'list the cases, and run none' },
    { name: 'verbose', short: 'v', kind: 'none', summary: 'also list cases that came out as expected' },
    { name: 'coverage', kind: 'none', summary: 'tell which policies, rules and clauses no case tried' },
    {
      name: 'coverage-threshold',
      kind: 'text',
      placeholder: 'PERCENT',
      summary: 'coverage below which the exit status is 82',
    },
    { name: 'watch', short: 'w', kind: 'none', summary: 'run again whenever a file changes, until Ctrl-C' },
    {
      name: 'meshConfigFile',
      kind: 'text',
      placeholder: 'FILE',
      summary: 'the mesh’s settings, instead of the usual ones',
    },
    { name: 'ignore-unknown', kind: 'none', summary: 'pass over documents that are no Kubernetes objects' },
    { name: 'color', kind: 'none', summary: 'results in colour (true on a terminal)' },
    { name: 'schema', kind: 'none', summary: 'print the JSON schema of tests, for editors' },
  ],
  run: async (invocation, context) => {
    const { runTest } = await import('./run-test.ts')
    return await runTest(invocation, context)
  },
}
