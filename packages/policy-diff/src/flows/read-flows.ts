import { FLOW_FORMAT } from '@ambit/flow'
import { MAX_FLOWS_LINE, MAX_FLOWS_PROBLEMS, MAX_RECORDED_FLOWS } from '../limits.ts'
import { decodeFlowsLine } from './decode-flows-line.ts'
import { FLOWS_FORMAT, type FlowsEnd, type FlowsHeader, type RecordedFlow, type RecordedGap } from './flows.types.ts'

export interface ReadFlows {
  readonly header: FlowsHeader
  readonly flows: readonly RecordedFlow[]
  readonly gaps: readonly RecordedGap[]
  /** Undefined: it was cut short. */
  readonly end: FlowsEnd | undefined
  /** `line 7: …`. */
  readonly problems: readonly string[]
}

export type FlowsVerdict =
  | { readonly ok: true; readonly flows: ReadFlows }
  | { readonly ok: false; readonly reason: string }

const VERSION = Number(/\d+$/.exec(FLOWS_FORMAT)?.[0])

/** Reads a recording. A line that can't be read takes nothing from the others; without a header of this format nothing is read. */
export function readFlows(text: string): FlowsVerdict {
  const lines = text.split('\n')
  const header = readHeader(lines[0] ?? '')
  if (typeof header === 'string') return { ok: false, reason: `line 1: ${header}` }
  const flows: RecordedFlow[] = []
  const gaps: RecordedGap[] = []
  const problems: string[] = []
  let end: FlowsEnd | undefined
  let wrong = 0
  for (const [i, line] of lines.entries()) {
    if (i === 0 || line === '') continue
    const isLast = i === lines.length - 1
    const read = line.length > MAX_FLOWS_LINE ? 'it is too long' : decodeFlowsLine(line)
    if (typeof read === 'string') {
      wrong++
      const told = isLast && !line.endsWith('}') ? 'it is cut short' : read
      if (problems.length < MAX_FLOWS_PROBLEMS) problems.push(`line ${i + 1}: ${told}`)
    } else if (read.kind === 'flow' && flows.length < MAX_RECORDED_FLOWS) flows.push(read)
    else if (read.kind === 'flow') return { ok: false, reason: `it has more than ${MAX_RECORDED_FLOWS} flows` }
    else if (read.kind === 'gap') gaps.push(read)
    else if (read.kind === 'end') end = read
    else problems.push(`line ${i + 1}: another header`)
  }
  if (wrong > problems.length) problems.push(`${wrong - problems.length} further lines can't be read`)
  return { ok: true, flows: { header, flows, gaps, end, problems } }
}

function readHeader(line: string): FlowsHeader | string {
  const version = /^\{"kind":"header","format":"ambit\.flows\/v(\d{1,6})"/.exec(line)?.[1]
  if (version !== undefined && Number(version) < VERSION)
    return `an older version wrote it (ambit.flows/v${version}, this one reads ${FLOWS_FORMAT}); record again: ambit record -o FILE`
  if (version !== undefined && Number(version) > VERSION)
    return `a newer version wrote it (ambit.flows/v${version}, this one reads ${FLOWS_FORMAT}); read it with that version, or record again with this one`
  if (line.includes(`"format":"${FLOW_FORMAT}"`))
    return 'these are flows as proxies tell them, not a recording; record some: ambit record -o FILE'
  const read = line.length > MAX_FLOWS_LINE ? 'it is too long' : decodeFlowsLine(line)
  if (typeof read === 'string') return `this is no recording of flows: ${read}`
  return read.kind === 'header' ? read : 'this is no recording of flows: the header is missing'
}
