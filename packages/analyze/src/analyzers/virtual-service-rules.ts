import { isDeepStrictEqual } from 'node:util'
import { type Json, list, record, text } from '../field.ts'
import { MAX_COMPARED_RULES } from '../limits.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import { type Sourced, specOf } from '../source.types.ts'

export const virtualServiceRules: Analyzer = {
  name: 'schema.ValidationAnalyzer.VirtualServiceRules',
  summary: 'Whether rules of a VirtualService stand behind others that take all they would',
  codes: ['IST0130', 'IST0131'],
  *analyze(snapshot) {
    for (const service of snapshot.of('networking.istio.io/VirtualService'))
      for (const protocol of ['http', 'tls', 'tcp'] as const) yield* hidden(service, protocol)
  },
}

function* hidden(about: Sourced, protocol: 'http' | 'tls' | 'tcp'): Iterable<Finding> {
  const rules = list(specOf(about)[protocol]).map(record).slice(0, MAX_COMPARED_RULES)
  const seen: { readonly match: Json; readonly rule: string }[] = []
  let everything: string | undefined
  for (const [i, rule] of rules.entries()) {
    const name = text(rule['name']) || `${protocol} #${i}`
    const matches = list(rule['match']).map(record)
    const path = ['spec', protocol, i]
    if (everything !== undefined) {
      const message = `Rule ${name} of the VirtualService is never used: rule ${everything} before it takes everything.`
      yield { code: 'IST0130', about, path, message }
      continue
    }
    const doubles = matches.map(
      (match) => seen.find((other) => isDeepStrictEqual(other.match, withoutName(match)))?.rule,
    )
    if (matches.length > 0 && doubles.every((double) => double !== undefined)) {
      const message = `Rule ${name} of the VirtualService is never used: what it matches is taken by rule ${[...new Set(doubles)].join(', ')} before it.`
      yield { code: 'IST0130', about, path, message }
    } else {
      for (const [n, double] of doubles.entries()) {
        if (double === undefined) continue
        const message = `Match #${n} of rule ${name} of the VirtualService does nothing: rule ${double} has the same one.`
        yield { code: 'IST0131', about, path: [...path, 'match', n], message }
      }
    }
    if (matches.length === 0 || matches.some(isEverything)) everything = name
    for (const match of matches)
      if (seen.length < MAX_COMPARED_RULES) seen.push({ match: withoutName(match), rule: name })
  }
}

function withoutName(match: Json): Json {
  const { name: _, ...rest } = match
  return rest
}

function isEverything(match: Json): boolean {
  const rest = withoutName(match)
  const keys = Object.keys(rest)
  if (keys.length === 0) return true
  return keys.length === 1 && isDeepStrictEqual(rest['uri'], { prefix: '/' })
}
