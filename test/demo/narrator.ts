import { type CommandOptions, type CommandResult, commandLine, runCommand } from '../support/command.ts'

export interface Check {
  readonly title: string
  readonly passed: boolean
  readonly evidence: string
}

/** Longest output of one command that is shown; the rest is counted. */
const SHOWN_LINES = 14

/** Tells what happens: a heading a step, each command as typed with what it printed, and at the end what was checked. */
export class Narrator {
  readonly checks: Check[] = []
  readonly env: NodeJS.ProcessEnv
  readonly #colour: boolean
  readonly #started = performance.now()
  #step = 0
  #silent = false

  constructor(env: NodeJS.ProcessEnv) {
    this.env = env
    this.#colour = process.stdout.isTTY && env['NO_COLOR'] === undefined
  }

  step(title: string, why = ''): void {
    this.#step++
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0)
    this.#print(`\n${this.#bold(`${this.#step}. ${title}`)} ${this.#dim(`(${seconds} s)`)}`)
    if (why !== '') this.#print(this.#dim(`   ${why}`))
  }

  say(text: string): void {
    this.#print(`   ${text}`)
  }

  /** Runs a command with its words shown first and its output after. */
  async run(
    program: string,
    args: readonly string[],
    options: CommandOptions & { readonly show?: (line: string) => boolean } = {},
  ): Promise<CommandResult> {
    this.#print(`   ${this.#bold('$')} ${commandLine(program, args)}`)
    const result = await this.quiet(program, args, options)
    const lines = `${result.stdout}${result.stderr}`
      .split('\n')
      .filter((line) => line !== '' && (options.show?.(line) ?? true))
    for (const line of lines.slice(0, SHOWN_LINES)) this.#print(`     ${line}`)
    if (lines.length > SHOWN_LINES) this.#print(this.#dim(`     … ${lines.length - SHOWN_LINES} more lines`))
    if (result.code !== 0) this.#print(this.#dim(`     exit code ${result.code}`))
    return result
  }

  async quiet(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return await runCommand(program, args, { env: this.env, ...options })
  }

  check(title: string, passed: boolean, evidence: string): void {
    this.checks.push({ title, passed, evidence })
    this.#print(`   ${passed ? this.#green('✔') : this.#red('✘')} ${title}: ${evidence}`)
  }

  /** Prints the table of all checks; true when every one passed. */
  summary(): boolean {
    const width = Math.max(...this.checks.map(({ title }) => title.length))
    this.#print(`\n${this.#bold('What was checked')}`)
    for (const { title, passed, evidence } of this.checks) {
      this.#print(`   ${passed ? this.#green('✔') : this.#red('✘')} ${title.padEnd(width)}  ${evidence}`)
    }
    const failed = this.checks.filter(({ passed }) => !passed).length
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0)
    this.#print(`\n   ${this.checks.length - failed} of ${this.checks.length} checks passed in ${seconds} s`)
    return failed === 0 && this.checks.length > 0
  }

  /** Nothing that follows is told: nobody listens, or it is only the end of what was interrupted. */
  fallSilent(): void {
    this.#silent = true
  }

  #print(text: string): void {
    if (!this.#silent) console.log(text)
  }

  #bold(text: string): string {
    return this.#colour ? `\x1b[1m${text}\x1b[22m` : text
  }

  #dim(text: string): string {
    return this.#colour ? `\x1b[2m${text}\x1b[22m` : text
  }

  #green(text: string): string {
    return this.#colour ? `\x1b[32m${text}\x1b[39m` : text
  }

  #red(text: string): string {
    return this.#colour ? `\x1b[31m${text}\x1b[39m` : text
  }
}
