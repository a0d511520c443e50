/** What `ambit` tells the shell. */
export const EXIT = {
  ok: 0,
  /** The command was understood and failed. */
  failure: 1,
  /** The command line was not understood, or names something this version does not have. */
  usage: 2,
  /** What was given to read could not all be read (sysexits, as istioctl has it). */
  badData: 65,
  /** What was asked about does not arrive, and no policy refused it (sysexits: unavailable). */
  unreachable: 69,
  /** The answer depends on which endpoint is chosen, or on what could not be read (sysexits: try again). */
  unclear: 75,
  /** What was asked about is denied (sysexits: no permission). */
  denied: 77,
  /** Not everybody who knows could be asked (sysexits: try again). */
  incomplete: 75,
  /** Analysis found what is at least as bad as --failure-threshold (istioctl). */
  issuesFound: 79,
  /** A change of policies lets in or keeps out somebody (ambit diff). */
  accessChanges: 80,
  /** A case of `ambit test` came out otherwise. */
  testsFailed: 81,
  /** The cases of `ambit test` leave more untried than --coverage-threshold allows. */
  coverageBelow: 82,
  /** Ctrl-C: 128 and the number of SIGINT, as a shell has it. */
  interrupted: 130,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
