// Boots a sandbox in the background and says how to use it: `node packages/sandbox/src/dev.ts [up|down|status] [name] [nodes]`.
import { messageOf } from '@ambit/core'
import { sandboxDown, sandboxStatus, sandboxUp } from './host/sandbox.ts'

const [action = 'up', name = 'dev', nodes = '2'] = process.argv.slice(2)
const began = performance.now()
const say = (text: unknown): void =>
  void process.stdout.write(`${typeof text === 'string' ? text : JSON.stringify(text, undefined, 2)}\n`)
try {
  if (action === 'down') say((await sandboxDown(name)) ? `sandbox ${name} ended` : `sandbox ${name} was not running`)
  else if (action === 'status') say(sandboxStatus(name) ?? `sandbox ${name} is not running`)
  else {
    const running = await sandboxUp({ name, nodes: Number(nodes), logLevel: process.env['RUST_LOG'] }, (text) =>
      say(`… ${text}`),
    )
    say(
      `ready after ${Math.round(performance.now() - began)} ms\nexport KUBECONFIG=${running.kubeconfig}\nlog: ${running.log}`,
    )
  }
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`)
  process.exitCode = 1
}
