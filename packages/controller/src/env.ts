/** What the process was started with. The only place that looks at the environment. */
export interface ControllerEnv {
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly args: readonly string[]
}

export function readEnv(): ControllerEnv {
  return { variables: process.env, args: process.argv.slice(2) }
}
