import { messageOf } from '@ambit/core'
import { FLOW_FORMAT, type Flow } from './flow.types.ts'
import { FlowLineError } from './flow-line-error.ts'
import { MAX_FLOW_LINE } from './limits.ts'
import { readFlow, readLost } from './read-flow.ts'

/** What one line says: a flow, or how many there were that its reader was too slow for. */
export type FlowLine = { readonly flow: Flow } | { readonly lost: number }

/** One line, with its end. */
export function encodeFlow(flow: Flow): string {
  return `${JSON.stringify({ format: FLOW_FORMAT, ...flow })}\n`
}

/** The line that stands for `lost` others. What is open is told again after it. */
export function encodeLost(lost: number): string {
  return `${JSON.stringify({ format: FLOW_FORMAT, lost })}\n`
}

/** Reads a line without its end. Members nobody knows are left out; a line of another format is refused. */
export function decodeFlowLine(line: string): FlowLine {
  if (line.length > MAX_FLOW_LINE)
    throw new FlowLineError('FLOW_LINE_TOO_LONG', `a line of ${line.length} characters; ${MAX_FLOW_LINE} are the most`)
  const parsed = parse(line)
  checkFormat(parsed)
  const lost = readLost(parsed)
  return lost === undefined ? { flow: readFlow(parsed) } : { lost }
}

type Json = Readonly<Record<string, unknown>>

function parse(line: string): Json {
  let parsed: unknown
  try {
    parsed = JSON.parse(line)
  } catch (cause) {
    throw new FlowLineError('FLOW_LINE_NOT_JSON', `not JSON: ${messageOf(cause)}`, { cause })
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Json
  throw new FlowLineError('FLOW_LINE_NOT_JSON', 'not a JSON object')
}

const VERSION = Number(/\d+$/.exec(FLOW_FORMAT)?.[0])

function checkFormat({ format }: Json): void {
  if (format === FLOW_FORMAT) return
  const [, version] = (typeof format === 'string' && /^ambit\.flow\/v(\d{1,6})$/.exec(format)) || []
  if (version === undefined) {
    const said = format === undefined ? 'has no format' : `has the format ${JSON.stringify(format).slice(0, MAX_SHOWN)}`
    throw new FlowLineError('FLOW_FORMAT_UNKNOWN', `${said}; a flow has ${FLOW_FORMAT}`)
  }
  if (Number(version) < VERSION) {
    const why = `an older version wrote it (${String(format)}, this one reads ${FLOW_FORMAT})`
    throw new FlowLineError('FLOW_FORMAT_OLD', `${why}; record again: ambit record -o FILE`)
  }
  const why = `a newer version wrote it (${String(format)}, this one reads ${FLOW_FORMAT})`
  throw new FlowLineError('FLOW_FORMAT_NEW', `${why}; read it with that version, or record again with this one`)
}

const MAX_SHOWN = 80
