import { messageOf } from '@ambit/core'
import { ANALYZERS } from './analyzers/index.ts'
import { CODES, type Code, LEVELS } from './codes.ts'
import type { Analyzer, Finding, Message } from './message.types.ts'
import type { Snapshot } from './snapshot.ts'
import { fullNameOf, type Sourced } from './source.types.ts'
import { isSuppressed, type Suppression } from './suppression.ts'
import { isSystemNamespace } from './system-namespaces.ts'

export interface AnalyzeOptions {
  /** Only objects of it, and those without a namespace; undefined: all. */
  readonly namespace?: string | undefined
  readonly suppressions?: readonly Suppression[] | undefined
  readonly analyzers?: readonly Analyzer[] | undefined
}

/** What is wrong with the objects, the worst first. */
export function analyze(snapshot: Snapshot, options: AnalyzeOptions = {}): readonly Message[] {
  const messages = new Map<string, Message>()
  const add = (message: Message): void => {
    messages.set(`${message.code}|${message.origin}|${message.reference}|${message.message}`, message)
  }
  for (const analyzer of options.analyzers ?? ANALYZERS) {
    try {
      for (const finding of analyzer.analyze(snapshot))
        if (isAskedFor(finding.about, options.namespace) && !isSuppressed(finding, options.suppressions ?? []))
          add(messageFor(finding))
    } catch (error) {
      add({
        ...of('IST0001'),
        origin: '',
        reference: '',
        message: `Internal error: ${analyzer.name}: ${messageOf(error)}`,
      })
    }
  }
  const failures = [...messages.values()].some(({ code }) => code === 'IST0001') ? [] : snapshot.judgement.failures
  for (const failure of failures)
    add({ ...of('IST0001'), origin: '', reference: '', message: `Internal error: ${failure}` })
  return [...messages.values()].toSorted(byWeight)
}

function isAskedFor({ object }: Sourced, namespace: string | undefined): boolean {
  const place = object.metadata.namespace ?? (object.kind === 'Namespace' ? object.metadata.name : '')
  if (isSystemNamespace(place)) return false
  return namespace === undefined || place === '' || place === namespace
}

function messageFor({ code, about, path = [], message }: Finding): Message {
  const { place, object } = about
  const line = path.length === 0 ? place?.line : place?.lineOf(path)
  return {
    ...of(code),
    origin: `${object.kind} ${fullNameOf(about)}`,
    reference: place === undefined ? '' : `${place.file}:${line}`,
    message,
  }
}

function of(code: Code): Pick<Message, 'code' | 'level'> {
  return { code, level: CODES[code]?.level ?? 'Error' }
}

function byWeight(a: Message, b: Message): number {
  const compare = (x: string, y: string): number => (x === y ? 0 : x < y ? -1 : 1)
  return (
    LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level) ||
    compare(a.code, b.code) ||
    compare(a.origin, b.origin) ||
    compare(a.reference, b.reference) ||
    compare(a.message, b.message)
  )
}
