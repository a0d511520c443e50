// `npm run stress -- [--connections N] [--fuzz SECONDS] [--seed N]`: long runs of what the tests of hbone's reactor do for seconds.
import { parseArgs } from 'node:util'
import { type ChurnFacts, churn } from '../../packages/hbone/test/stress/churn.ts'
import { fuzz } from '../../packages/hbone/test/stress/fuzz.ts'

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string' },
    fuzz: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
})
const seed = Number(options.seed)
const started = performance.now()
const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`.padStart(7)

function line({ opened, copied, descriptors, residentBytes, sessions, handles, timers, crashes }: ChurnFacts): string {
  const memory = `${(residentBytes / 2 ** 20).toFixed(0)} MiB`
  return `${seconds()}  ${opened} connections, ${copied} copied  ${memory}  ${descriptors} descriptors  ${sessions} TLS sessions  ${handles} handles  ${timers} timers  ${crashes} crashes`
}

async function runChurn(connections: number): Promise<boolean> {
  const { before, after, left } = await churn({ connections, seed, onRound: (facts) => console.log(line(facts)) })
  const remains = left.flatMap((facts) => Object.entries(facts ?? {}).filter(([, count]) => count !== 0))
  const grown = after.descriptors - before.descriptors
  console.log(`${seconds()}  ${connections} connections: ${grown} descriptors more than after the first round`)
  console.log(`${seconds()}  the workers ended with ${remains.length === 0 ? 'nothing' : JSON.stringify(remains)}`)
  return grown <= 0 && remains.length === 0
}

async function runFuzz(limitSeconds: number): Promise<boolean> {
  const until = performance.now() + limitSeconds * 1000
  const { rounds, crashes, steady, left } = await fuzz({ seed, goesOn: () => performance.now() < until })
  const remains = Object.entries(left ?? {}).filter(([, count]) => count !== 0)
  console.log(
    `${seconds()}  ${rounds} malformed peers, ${crashes.length} crashes, a connection beside them says "${steady}"`,
  )
  for (const crash of crashes) console.error(crash)
  console.log(`${seconds()}  the worker ended with ${remains.length === 0 ? 'nothing' : JSON.stringify(remains)}`)
  return crashes.length === 0 && steady === 'still here' && remains.length === 0
}

const results: boolean[] = []
if (options.connections !== undefined) results.push(await runChurn(Number(options.connections)))
if (options.fuzz !== undefined) results.push(await runFuzz(Number(options.fuzz)))
if (results.length === 0) console.log('npm run stress -- [--connections N] [--fuzz SECONDS] [--seed N]')
process.exitCode = results.every(Boolean) ? 0 : 1
