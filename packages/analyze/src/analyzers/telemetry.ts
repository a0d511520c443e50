import { labelsMatch } from '@ambit/controller/judgement'
import { parse } from 'yaml'
import { at, list, record, stringMap } from '../field.ts'
import type { Analyzer } from '../message.types.ts'
import type { Snapshot } from '../snapshot.ts'
import { fullNameOf, namespaceOf, type Sourced, specOf } from '../source.types.ts'

const KIND = 'telemetry.istio.io/Telemetry'

export const telemetryProviders: Analyzer = {
  name: 'telemetry.ProviderAnalyzer',
  summary: 'Whether a Telemetry names who is to get the access log',
  codes: ['IST0157'],
  *analyze(snapshot) {
    if (hasDefaultProviders(snapshot)) return
    for (const about of snapshot.of(KIND))
      for (const [i, entry] of list(specOf(about)['accessLogging']).entries()) {
        const { disabled, providers } = record(entry)
        if (disabled === true || list(providers).length > 0) continue
        const message = `The Telemetry ${fullNameOf(about)} names no providers and the mesh has no default ones: it is left aside.`
        yield { code: 'IST0157', about, path: ['spec', 'accessLogging', i], message }
      }
  },
}

function hasDefaultProviders({ meshConfig }: Snapshot): boolean {
  try {
    return list(at(parse(meshConfig, { logLevel: 'silent' }), ['defaultProviders', 'accessLogging'])).length > 0
  } catch {
    return false
  }
}

export const telemetrySelectors: Analyzer = {
  name: 'telemetry.SelectorAnalyzer',
  summary: 'Whether several Telemetries are for the same pods, or for a whole namespace',
  codes: ['IST0159', 'IST0160'],
  *analyze(snapshot) {
    const telemetries = snapshot.of(KIND).filter((one) => list(specOf(one)['targetRefs']).length === 0)
    for (const about of telemetries) {
      const namespace = namespaceOf(about)
      const beside = telemetries.filter((one) => one !== about && namespaceOf(one) === namespace)
      const own = selectorOf(about)
      if (own === undefined) {
        const others = beside.filter((one) => selectorOf(one) === undefined)
        if (others.length === 0) continue
        const message = `The Telemetries ${namesOf([about, ...others])} are all for the whole namespace ${namespace}: only one of them counts.`
        yield { code: 'IST0160', about, message }
        continue
      }
      const pod = snapshot
        .workloadsIn(namespace)
        .filter(({ labels }) => labelsMatch(own, labels))
        .map((one) => ({ one, others: beside.filter((other) => selects(other, one.labels)) }))
        .find(({ others }) => others.length > 0)
      if (pod === undefined) continue
      const message = `The Telemetries ${namesOf([about, ...pod.others])} are all for pod ${namespace}/${pod.one.name}: only one of them counts.`
      yield { code: 'IST0159', about, path: ['spec', 'selector'], message }
    }
  },
}

function selectorOf(telemetry: Sourced): Readonly<Record<string, string>> | undefined {
  const { selector } = specOf(telemetry)
  return selector === undefined ? undefined : stringMap(record(selector)['matchLabels'])
}

function selects(telemetry: Sourced, labels: Readonly<Record<string, string>>): boolean {
  const selector = selectorOf(telemetry)
  return selector !== undefined && labelsMatch(selector, labels)
}

function namesOf(telemetries: readonly Sourced[]): string {
  return telemetries.map(fullNameOf).toSorted().join(', ')
}
