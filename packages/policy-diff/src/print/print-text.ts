import type { AccessChange, FlowsDiff, PolicyDiff, Region } from '../diff.types.ts'
import { conditionsPhrase, countsPhrase, decisionPhrase, namesOf, nothingPhrase, objectPhrase } from './phrases.ts'

export interface PrintOptions {
  readonly colour: boolean
}

const TITLES: Readonly<Record<AccessChange, string>> = { denied: 'Newly denied', allowed: 'Newly allowed' }
const COLOURS: Readonly<Record<AccessChange, string>> = { denied: '31', allowed: '32' }

/** A comparison for people; each entry a line. */
export function printText(diff: PolicyDiff, { colour }: PrintOptions): readonly string[] {
  const { objects, regions, flows, gaps } = diff
  const title = (change: AccessChange): string =>
    colour ? `\u001b[${COLOURS[change]}m${TITLES[change]}\u001b[0m` : TITLES[change]
  const lines: string[] = objects.map((object) => printable(objectPhrase(object)))
  if (objects.length === 0) lines.push('No object differs.')
  for (const change of ['denied', 'allowed'] as const) {
    const of = regions.filter((region) => region.change === change)
    if (of.length > 0) lines.push('', title(change), ...of.flatMap(regionLines))
  }
  if (regions.length === 0) lines.push('', nothingPhrase(diff))
  if (flows !== undefined) lines.push('', ...flowLines(diff, flows, title))
  if (gaps.length > 0) lines.push('', ...gaps.map((gap) => printable(`! ${gap}`)))
  return lines
}

function regionLines(region: Region): readonly string[] {
  const { destinations, after, before, change, clients, endpoints, nearest } = region
  const lines = [
    `  ${namesOf(destinations)}`,
    `    ${conditionsPhrase(region)}`,
    `    by ${decisionPhrase(after)}`,
    ...(change === 'allowed' ? [`    until now denied by ${decisionPhrase(before)}`] : []),
    ...(nearest === undefined
      ? []
      : [
          `    nearest: ${nearest.policy} rules[${nearest.rule}], but for ${namesOf(nearest.failed.map(({ field }) => field))}`,
        ]),
    ...(endpoints === undefined ? [] : [`    only at ${namesOf(endpoints)}`]),
    ...(clients.length === 0 ? [] : [`    of what runs: ${namesOf(clients)}`]),
  ]
  return lines.map(printable)
}

function flowLines(diff: PolicyDiff, flows: FlowsDiff, title: (change: AccessChange) => string): readonly string[] {
  const { changed, unjudged, outdated, total, from, to } = flows
  const lines = [`Recorded traffic, ${from} to ${to}: of ${total}, ${countsPhrase(diff)}`]
  for (const change of ['denied', 'allowed'] as const) {
    const of = changed.filter((flow) => flow.change === change)
    if (of.length === 0) continue
    const width = Math.max(...of.map(({ count }) => String(count).length))
    lines.push(`  ${title(change)}`)
    for (const { count, client, destination, request, after } of of) {
      const what = request === undefined ? '' : ` ${request}`
      lines.push(printable(`    ${String(count).padStart(width)}  ${client} to ${destination}${what}`))
      lines.push(printable(`    ${' '.repeat(width)}  by ${decisionPhrase(after)}`))
    }
  }
  for (const { reason, count, flows: named } of unjudged)
    lines.push(printable(`  ? ${count} can't be judged: ${reason} (${namesOf(named)})`))
  if (outdated > 0) lines.push(`  ! ${outdated} ended otherwise when they were recorded: policies have changed since`)
  return lines
}

/** Names come from the network: they must not drive a terminal. */
function printable(line: string): string {
  return line.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
