import type { AccessChange, ChangedFlow, PolicyDiff, Region } from '../diff.types.ts'
import { conditionsPhrase, countsPhrase, decisionPhrase, namesOf, nothingPhrase, objectPhrase } from './phrases.ts'

const TITLES: Readonly<Record<AccessChange, string>> = { denied: 'Newly denied', allowed: 'Newly allowed' }
/** Rows of a table; a comment of GitHub holds 65,536 characters. */
const MAX_ROWS = 50

/** A comparison for a comment on a pull request: a summary, tables, and what few read folded. */
export function printMarkdown(diff: PolicyDiff): readonly string[] {
  const { objects, regions, flows, gaps } = diff
  return [
    '## Policies: what changes',
    '',
    summary(diff),
    '',
    ...(['denied', 'allowed'] as const).flatMap((change) => [
      ...regionTable(
        change,
        regions.filter((region) => region.change === change),
      ),
      ...flowTable(change, flows?.changed.filter((flow) => flow.change === change) ?? []),
    ]),
    ...folded(
      `Objects that differ (${objects.length})`,
      objects.map((object) => `- ${code(objectPhrase(object))}`),
    ),
    ...folded(
      `Recorded flows that can't be judged (${flows?.unjudged.length ?? 0} reasons)`,
      (flows?.unjudged ?? []).map(
        ({ reason, count, flows: named }) => `- ${count}: ${plain(reason)} (${code(namesOf(named))})`,
      ),
    ),
    ...folded(
      `What this leaves out (${gaps.length})`,
      gaps.map((gap) => `- ${plain(gap)}`),
    ),
  ]
}

function summary(diff: PolicyDiff): string {
  const { regions, flows } = diff
  const of = (change: AccessChange): number => regions.filter((region) => region.change === change).length
  const told =
    regions.length === 0
      ? nothingPhrase(diff)
      : `**${of('denied')} newly denied, ${of('allowed')} newly allowed**, by what the policies say.`
  if (flows === undefined) return told
  const outdated =
    flows.outdated === 0
      ? ''
      : ` ${flows.outdated} of them ended otherwise when they were recorded: policies have changed since.`
  return `${told}\n\nOf ${flows.total} recorded from ${flows.from} to ${flows.to}: **${countsPhrase(diff)}**.${outdated}`
}

function regionTable(change: AccessChange, regions: readonly Region[]): readonly string[] {
  if (regions.length === 0) return []
  return [
    `### ${TITLES[change]}, by the policies`,
    '',
    '| destination | what | decided by | of what runs |',
    '| --- | --- | --- | --- |',
    ...regions.slice(0, MAX_ROWS).map((region) => {
      const { destinations, after, clients, endpoints } = region
      const only = endpoints === undefined ? '' : ` only at ${code(namesOf(endpoints))}`
      return `| ${code(namesOf(destinations))}${only} | ${plain(conditionsPhrase(region))} | ${plain(decisionPhrase(after))} | ${plain(namesOf(clients))} |`
    }),
    ...more(regions.length),
    '',
  ]
}

function flowTable(change: AccessChange, flows: readonly ChangedFlow[]): readonly string[] {
  if (flows.length === 0) return []
  return [
    `### ${TITLES[change]}, of what was recorded`,
    '',
    '| count | client | destination | request | decided by |',
    '| ---: | --- | --- | --- | --- |',
    ...flows
      .slice(0, MAX_ROWS)
      .map(
        ({ count, client, destination, request = '', after }) =>
          `| ${count} | ${plain(client)} | ${code(destination)} | ${request === '' ? '' : code(request)} | ${plain(decisionPhrase(after))} |`,
      ),
    ...more(flows.length),
    '',
  ]
}

function more(count: number): readonly string[] {
  return count > MAX_ROWS ? ['', `And ${count - MAX_ROWS} more: \`ambit diff -o json\` has them all.`] : []
}

function folded(title: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return []
  const shown = lines.slice(0, MAX_ROWS)
  return ['<details>', `<summary>${plain(title)}</summary>`, '', ...shown, ...more(lines.length), '', '</details>', '']
}

/** Nothing in it is markup, nor ends a cell or a line. */
function plain(text: string): string {
  return text
    .replace(/\p{Cc}/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/[|\\`*_[\]{}~@#!]/g, (c) => `&#${c.charCodeAt(0)};`)
}

function code(text: string): string {
  return `<code>${plain(text)}</code>`
}
