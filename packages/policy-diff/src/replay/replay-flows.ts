import { AmbiguousNameError, type Answer, type MeshModel, type Question, UnknownNameError } from '@ambit/explain'
import { accessChange, decisionFor } from '../compare/access-change.ts'
import type { ComparedDestination, Sides } from '../compare/compare-destination.ts'
import type { ComparedPolicies } from '../compare/compare-policies.ts'
import { AS_BYTES, OTHER_PORTS } from '../compare/destinations.ts'
import { NearestMisses } from '../compare/nearest-misses.ts'
import type { ChangedFlow, FlowsDiff } from '../diff.types.ts'
import type { RecordedFlow } from '../flows/flows.types.ts'
import type { ReadFlows } from '../flows/read-flows.ts'
import { MAX_NAMED_FLOWS } from '../limits.ts'
import { endpointOf, type FlowTarget, FlowTargets } from './flow-target.ts'
import { addressesOf, type KnownValues, knownValues, openFields } from './known-values.ts'

type Judged =
  | { readonly kind: 'judged'; readonly changed: ChangedFlow | undefined; readonly isOutdated: boolean }
  | { readonly kind: 'unjudged'; readonly reason: string }

/** Asks both meshes about what was recorded. */
export function replayFlows(
  models: Sides<MeshModel>,
  { header, flows, end }: ReadFlows,
  compared: ComparedPolicies['compared'],
): FlowsDiff {
  const targets = { before: new FlowTargets(models.before), after: new FlowTargets(models.after) }
  const addresses = addressesOf(models.after.pods())
  const nearest = new NearestMisses(models.after)
  const changed: ChangedFlow[] = []
  const unjudged = new Map<string, { count: number; flows: string[] }>()
  let total = 0
  let unchanged = 0
  let outdated = 0
  for (const flow of flows) {
    total += flow.count
    const judged = judge(flow)
    if (judged.kind === 'unjudged') {
      const known = unjudged.getOrInsertComputed(judged.reason, () => ({ count: 0, flows: [] }))
      known.count += flow.count
      if (known.flows.length < MAX_NAMED_FLOWS) known.flows.push(nameOf(flow))
      continue
    }
    if (judged.isOutdated) outdated += flow.count
    if (judged.changed === undefined) unchanged += flow.count
    else changed.push(judged.changed)
  }
  return {
    total,
    unchanged,
    changed: merged(changed).toSorted((a, b) => b.count - a.count),
    unjudged: [...unjudged].map(([reason, told]) => ({ reason, ...told })).toSorted((a, b) => b.count - a.count),
    outdated,
    from: header.startedAt,
    to: end?.at ?? flows.reduce((last, { lastSeen }) => (lastSeen > last ? lastSeen : last), header.startedAt),
    isComplete: end?.complete === true,
  }

  function judge(flow: RecordedFlow): Judged {
    const was = targets.before.find(flow)
    const is = targets.after.find(flow)
    if ('unknown' in was) return { kind: 'unjudged', reason: `${was.unknown} is not known` }
    if ('unknown' in is) return { kind: 'unjudged', reason: `${is.unknown} is gone after the change` }
    const known = knownValues(flow, header, addresses)
    const one = comparedFor(compared, is, flow)
    const open = one === undefined ? [] : openFields(one.diagram, one.forms, known)
    if (open.length > 0) return { kind: 'unjudged', reason: `it depends on ${spell(open)}, which was not recorded` }
    try {
      return judgeAt({ before: was, after: is }, flow, known)
    } catch (error) {
      if (error instanceof UnknownNameError || error instanceof AmbiguousNameError)
        return { kind: 'unjudged', reason: error.message }
      throw error
    }
  }

  function judgeAt(at: Sides<FlowTarget>, flow: RecordedFlow, known: KnownValues): Judged {
    const question: Question = { ...known.question, to: at.after.to }
    const before = models.before.ask({ ...known.question, to: at.before.to })
    const after = models.after.ask(question)
    if (isMixed(before) || isMixed(after)) {
      const endpoint = endpointOf(flow)
      if (endpoint !== undefined && at.after.to.kind !== 'pod')
        return judgeAt({ before: endpoint, after: endpoint }, flow, known)
      return { kind: 'unjudged', reason: 'it depends on which endpoint answers' }
    }
    const { verdict, outcome } = flow
    const denied = verdict === undefined ? outcome === 'denied' : !verdict.allowed
    const isOutdated = denied !== (before.outcome === 'denied')
    return { kind: 'judged', changed: changeOf(flow, at.after, question, before, after, nearest), isOutdated }
  }
}

function isMixed({ mixed }: Answer): boolean {
  return mixed !== undefined && mixed.length > 0
}

/** Of a connection what proxies see as bytes; of a port that nobody names what stands for it. */
function comparedFor(
  compared: ComparedPolicies['compared'],
  { name, to }: FlowTarget,
  { request }: RecordedFlow,
): ComparedDestination | undefined {
  const bytes = request === undefined ? compared.get(name + AS_BYTES) : undefined
  return (
    bytes ?? compared.get(name) ?? (to.kind === 'pod' ? compared.get(name.replace(/\d+$/, OTHER_PORTS)) : undefined)
  )
}

function changeOf(
  flow: RecordedFlow,
  target: FlowTarget,
  question: Question,
  before: Answer,
  after: Answer,
  nearest: NearestMisses,
): ChangedFlow | undefined {
  const access = accessChange(before, after, target.isGateway)
  if (access === undefined) return undefined
  const { count, firstSeen, lastSeen } = flow
  const decided = decisionFor(after, access)
  const miss = nearest.of(access.change, decided, question)
  return {
    change: access.change,
    count,
    client: clientName(flow),
    destination: target.name,
    ...(flow.request === undefined ? {} : { request: `${flow.request.method} ${flow.request.path}` }),
    after: decided,
    before: decisionFor(before, access),
    ...(miss === undefined ? {} : { nearest: miss }),
    firstSeen,
    lastSeen,
    example: question,
  }
}

/** Versions of one workload, and what else nobody is told apart by, are one. */
function merged(changed: readonly ChangedFlow[]): readonly ChangedFlow[] {
  const byContent = new Map<string, ChangedFlow>()
  for (const flow of changed) {
    const { count, firstSeen, lastSeen, example: _, ...content } = flow
    const key = JSON.stringify(content)
    const known = byContent.get(key)
    byContent.set(
      key,
      known === undefined
        ? flow
        : {
            ...known,
            count: known.count + count,
            firstSeen: firstSeen < known.firstSeen ? firstSeen : known.firstSeen,
            lastSeen: lastSeen > known.lastSeen ? lastSeen : known.lastSeen,
          },
    )
  }
  return [...byContent.values()]
}

function clientName({ client: { identity, namespace, workload } }: RecordedFlow): string {
  const [, , , , space, , account] = identity?.split('/') ?? []
  if (account !== undefined) return `${space}/${account}`
  if (workload !== undefined) return `${namespace}/${workload} (no identity)`
  return 'outside'
}

function nameOf(flow: RecordedFlow): string {
  const { service, server, request, gateway } = flow
  const to =
    service !== undefined
      ? `${service.hostname}:${service.port}`
      : server === undefined
        ? (gateway ?? 'somewhere')
        : `${server.namespace}/${server.workload}:${server.port}`
  const what = request === undefined ? '' : ` ${request.method} ${request.path}`
  return `${clientName(flow)} to ${to}${what}`
}

function spell(fields: readonly string[]): string {
  return fields.map((field) => FIELD_NAMES[field] ?? field).join(' and ')
}

const FIELD_NAMES: Readonly<Record<string, string>> = {
  path: 'the path in full',
  sourceIp: 'the client’s address',
  sni: 'the server name',
  method: 'the request',
  host: 'the host',
}
