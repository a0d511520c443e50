import { stringify } from 'yaml'
import type { Context } from '../context.types.ts'
import type { Invocation } from '../grammar/command.types.ts'
import { EXIT, type ExitCode } from '../grammar/exit-codes.ts'
import { waypointGateway } from './waypoint-gateway.ts'
import { conflictWithServiceAccount, waypointRequest } from './waypoint-request.ts'

/** `ambit waypoint generate`: the Gateway as YAML; asks no cluster. */
export async function runWaypointGenerate({ flags }: Invocation, context: Context): Promise<ExitCode> {
  const conflict = conflictWithServiceAccount(flags)
  if (conflict !== undefined) {
    context.err(`Error: ${conflict}`)
    return EXIT.usage
  }
  const gateway = waypointGateway(waypointRequest(flags), flags.text('namespace') || undefined)
  context.out(stringify(gateway, { indentSeq: false }).trimEnd())
  return EXIT.ok
}
