/** What `ambit` tells the shell. */
export const EXIT = {
  ok: 0,
  /** The command was understood and failed. */
  failure: 1,
  /** The command line was not understood, or names something this version does not have. */
  usage: 2,
  /** Ctrl-C: 128 and the number of SIGINT, as a shell has it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
