import { createContext } from './app.ts'
import { readEnvironment } from './env.ts'
import { runCommandLine } from './run-command-line.ts'

// A reader that went away (`ambit … | head`) is not a failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
})

const context = createContext(readEnvironment(process.env, process.stdout), process)
process.exitCode = await runCommandLine(process.argv.slice(2), context)
