import { ANNOTATION_FACTS, type AnnotationFacts } from '../annotation-facts.ts'
import type { Analyzer, Finding } from '../message.types.ts'
import type { Sourced } from '../source.types.ts'

const KINDS = [
  'core/Namespace',
  'core/Service',
  'core/Pod',
  'apps/Deployment',
  'gateway.networking.k8s.io/Gateway',
] as const

/** What controllers write themselves. */
const WRITTEN = /^(?:install\.operator\.istio\.io\/|operator\.istio\.io\/|meta\.)/

export const annotations: Analyzer = {
  name: 'annotations.K8sAnalyzer',
  summary: 'Whether Istio’s annotations are known, where they belong, and mean something',
  codes: ['IST0107', 'IST0108', 'IST0125', 'IST0135', 'IST0136'],
  *analyze(snapshot) {
    for (const kind of KINDS)
      for (const about of snapshot.of(kind))
        for (const [name, value] of Object.entries(about.object.metadata.annotations ?? {}))
          if (/^(?:[^/]*\.)?istio\.io\//.test(name) && !WRITTEN.test(name)) yield* problemsOf(about, name, value)
  },
}

function* problemsOf(about: Sourced, name: string, value: unknown): Iterable<Finding> {
  const path = ['metadata', 'annotations', name]
  const facts: AnnotationFacts | undefined = Object.hasOwn(ANNOTATION_FACTS, name) ? ANNOTATION_FACTS[name] : undefined
  if (facts === undefined) {
    yield { code: 'IST0108', about, path, message: `Unknown annotation: ${name}` }
    return
  }
  if (facts.deprecated !== undefined) {
    const replaced = about.object.metadata.labels?.[name] !== undefined
    const instead = facts.deprecated === '' ? '' : `, use ${facts.deprecated}`
    if (!replaced)
      yield { code: 'IST0135', about, path, message: `Annotation ${JSON.stringify(name)} is deprecated${instead}.` }
  }
  if (facts.on !== 'any' && !facts.on.includes(about.object.kind)) {
    yield { code: 'IST0107', about, path, message: `Misplaced annotation: ${name} is for ${facts.on.join(', ')}` }
    return
  }
  const problem = typeof value === 'string' ? facts.problemOf?.(value) : 'its value is no text'
  if (problem !== undefined) yield { code: 'IST0125', about, path, message: `Invalid annotation ${name}: ${problem}` }
  if (facts.alpha === true) {
    const message = `Annotation ${JSON.stringify(name)} is of a feature in alpha, which may change.`
    yield { code: 'IST0136', about, path, message }
  }
}
