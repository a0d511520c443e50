export type { Context } from './context.types.ts'
export { EXIT, type ExitCode } from './grammar/exit-codes.ts'
export { type ManifestSet, parseManifest, readManifestSet } from './install/manifest-set.ts'
export { runCommandLine } from './run-command-line.ts'
