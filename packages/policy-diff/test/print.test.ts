// What people and programs are shown, whole: golden/*. UPDATE_GOLDEN=1 writes them anew; then read the difference.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { PolicyDiff } from '../src/diff.types.ts'
import type { RecordedFlow } from '../src/flows/flows.types.ts'
import { conditionPhrase } from '../src/print/phrases.ts'
import { printMarkdown } from '../src/print/print-markdown.ts'
import { printText } from '../src/print/print-text.ts'
import { diffOf } from './diff-of.ts'
import { AT, CLIENT } from './flow-samples.ts'
import { atWaypoint, policy } from './objects.ts'

const FOLDER = join(import.meta.dirname, 'golden')

const flow: RecordedFlow = {
  kind: 'flow',
  judge: 'waypoint',
  gateway: 'shop/waypoint',
  client: { identity: CLIENT, namespace: 'shop', workload: 'client-v1' },
  service: { namespace: 'shop', hostname: 'web.shop.svc.cluster.local', port: 80 },
  request: { method: 'GET', path: '/api/{number}', host: 'web.shop' },
  verdict: { allowed: true, reason: 'no-allow-policies' },
  outcome: 'allowed',
  count: 120,
  firstSeen: AT,
  lastSeen: AT,
}

function example(): PolicyDiff {
  const readers = (rules: readonly object[]): string =>
    policy('shop', 'readers', { ...atWaypoint('web'), action: 'ALLOW', rules })
  const before = [readers([{ to: [{ operation: { methods: ['GET'] } }] }])]
  const after = [
    readers([
      {
        from: [{ source: { serviceAccounts: ['client'] } }],
        to: [{ operation: { methods: ['GET', 'POST'], paths: ['/api/*'] } }],
      },
    ]),
    policy('back', 'db', {
      selector: { matchLabels: { app: 'db', version: 'v2' } },
      action: 'DENY',
      rules: [{ from: [{ source: { notNamespaces: ['shop'] } }] }],
    }),
  ]
  const flows = [
    flow,
    { ...flow, count: 12, request: { method: 'GET', path: '/admin', host: 'web.shop' } },
    {
      ...flow,
      count: 3,
      outcome: 'denied' as const,
      verdict: { allowed: false, reason: 'not-allowed' },
      request: { method: 'POST', path: '/api/{number}', host: 'web.shop' },
    },
    { ...flow, count: 2, service: { namespace: 'shop', hostname: 'gone.shop.svc.cluster.local', port: 80 } },
  ]
  const end = {
    kind: 'end' as const,
    at: '2026-11-21T18:10:00.000Z',
    complete: true,
    reason: 'stopped',
    flows: 4,
    counted: 137,
  }
  const header = {
    kind: 'header' as const,
    format: 'ambit.flows/v1' as const,
    startedAt: AT,
    namespaces: [],
    reads: { headers: [], claims: [] },
  }
  const gaps = [{ kind: 'gap' as const, at: AT, message: 'istio-system/ztunnel-2: can not be asked', count: 2 }]
  return diffOf(before, after, { flows: { header, flows, gaps, end, problems: [] } })
}

const golden = test.macro({
  exec(t, name: string, written: (diff: PolicyDiff) => string) {
    const path = join(FOLDER, name)
    const text = `${written(example())}\n`
    if (process.env['UPDATE_GOLDEN'] === '1') {
      mkdirSync(FOLDER, { recursive: true })
      writeFileSync(path, text)
    }
    t.is(text, readFileSync(path, 'utf8'))
  },
  title: (_, name: string) => `as in golden/${name}`,
})

test(golden, 'diff.txt', (diff) => printText(diff, { colour: false }).join('\n'))
test(golden, 'diff.md', (diff) => printMarkdown(diff).join('\n'))
test(golden, 'diff-json.txt', (diff) => JSON.stringify(diff, undefined, 2))

test('colour is for titles only', (t) => {
  const lines = printText(example(), { colour: true })
  t.true(lines.includes('\u001b[31mNewly denied\u001b[0m'))
  t.is(lines.filter((line) => line.includes('\u001b')).length, 4)
})

test('nothing in a name is markup, ends a cell, or drives a terminal', (t) => {
  const diff = example()
  const [region] = diff.regions
  if (region === undefined) return t.fail('no region')
  const hostile = 'a|b`c<script>\n\u001b[2J*_[x](y)'
  const dressed: PolicyDiff = {
    ...diff,
    regions: [{ ...region, destinations: [hostile], clients: [hostile] }],
    gaps: [hostile],
  }
  const markdown = printMarkdown(dressed).join('\n')
  t.notRegex(markdown, /<script>|\u001b|\]\(y\)|`c/)
  for (const line of markdown.split('\n').filter((one) => one.startsWith('| <code>')))
    t.is(line.split('|').length, 6, line)
  const text = printText(dressed, { colour: false })
  t.false(text.some((line) => /[\n\u001b]/.test(line)))
})

const phrase = test.macro({
  exec(t, field: string, is: readonly string[], isNot: readonly string[], expected: string) {
    t.is(conditionPhrase({ field, is, isNot }), expected)
  },
  title: (_, field: string, is: readonly string[], isNot: readonly string[], expected: string) =>
    `${field} ${is.join()}/${isNot.join()}: ${expected}`,
})

test(phrase, 'client', [], ['no identity'], 'any identity')
test(phrase, 'client', [], ['a/b', 'no identity'], 'any identity but a/b')
test(phrase, 'client', [], ['a/b', 'c/*'], 'anyone but a/b or c/*')
test(phrase, 'client', ['no identity'], [], 'clients without an identity')
test(phrase, 'client', ['a/b', 'no identity'], [], 'client a/b or no identity')
test(phrase, 'method', ['GET', 'POST'], [], 'method GET or POST')
test(phrase, 'path', [], ['/a'], 'path other than /a')
test(phrase, 'header x', [], ['none'], 'any header x')
test(phrase, 'header x', [], ['none', 'red'], 'any header x but red')
test(phrase, 'header x', ['none'], [], 'no header x')
test(phrase, 'header x', ['none', 'red'], [], 'header x absent or red')
test(phrase, 'sourceIp', ['10.0.0.0/8'], [], 'address 10.0.0.0/8')
