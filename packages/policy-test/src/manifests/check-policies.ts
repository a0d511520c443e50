import { ANALYZERS, type AnyObject, type FilePlace, type FileProblem, Snapshot, type Sourced } from '@ambit/analyze'
import { isMapping, type Path, Reader } from '../decode/reader.ts'
import { POLICY_SHAPES, type Shape } from './policy-shapes.ts'

/**
 * What is wrong with the policies of manifests. A cluster drops a field it does not know, and a rule that lost its `from` is for
 * everybody: here such a policy is refused.
 */
export function checkPolicies(manifests: readonly Sourced[]): readonly FileProblem[] {
  const policies = manifests.filter(
    ({ object: { apiVersion, kind } }) =>
      apiVersion.startsWith('security.istio.io/') && Object.hasOwn(POLICY_SHAPES, kind),
  )
  const problems = policies.flatMap(({ object, place }) =>
    place === undefined ? [] : misshapen({ ...object }, POLICY_SHAPES[object.kind] ?? {}, place),
  )
  // What a schema can not say is asked of objects that have the right shape.
  return problems.length > 0 ? problems : invalid(policies)
}

function misshapen(object: object, shape: Readonly<Record<string, Shape>>, place: FilePlace): readonly FileProblem[] {
  const reader = new Reader(place)
  const written = reader.fields(object, [], `this ${String((object as { kind?: unknown }).kind)}`, OBJECT_FIELDS)
  if (written?.['spec'] !== undefined && written['spec'] !== null)
    checkShape(reader, written['spec'], ['spec'], { fields: shape })
  return reader.problems
}

const OBJECT_FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'status'] as const

function checkShape(reader: Reader, value: unknown, path: Path, shape: Shape): void {
  // As with any cluster, a field without a value is no field.
  if (value === null || value === undefined) return
  const name = String(path.findLast((step) => typeof step === 'string'))
  const what = typeof path.at(-1) === 'number' ? `an entry of ${name}` : name
  if (shape === 'text') {
    if (value !== '') reader.text(value, path, what)
  } else if (shape === 'boolean') reader.boolean(value, path, what, false)
  else if (shape === 'labels') reader.texts(value, path, what)
  else if (shape === 'texts') checkShape(reader, value, path, { list: 'text' })
  else if ('choices' in shape) reader.oneOf(value, path, what, shape.choices)
  else if ('list' in shape)
    for (const [i, item] of reader.list(value, path, what).entries()) checkShape(reader, item, [...path, i], shape.list)
  else if ('values' in shape) {
    for (const [key, item] of Object.entries(reader.mapping(value, path, what) ?? {}))
      checkShape(reader, item, [...path, key], shape.values)
  } else {
    const fields = reader.fields(value, path, what, Object.keys(shape.fields))
    for (const [key, inside] of Object.entries(shape.fields))
      if (isMapping(fields) && Object.hasOwn(fields, key)) checkShape(reader, fields[key], [...path, key], inside)
  }
}

const VALIDATION = ANALYZERS.filter(({ name }) => name === 'schema.ValidationAnalyzer')

/** What the control plane's webhook would refuse. */
function invalid(policies: readonly Sourced[]): readonly FileProblem[] {
  const snapshot = new Snapshot({ cluster: [], files: policies, canJudge: false })
  return VALIDATION.flatMap((analyzer) =>
    [...analyzer.analyze(snapshot)].flatMap(({ code, about, path = [], message }): readonly FileProblem[] => {
      if (code !== 'IST0106' || about.place === undefined) return []
      const { line, column } = about.place.positionOf(path)
      return [{ file: about.place.file, line, column, message }]
    }),
  )
}

const FLAWS: ReadonlySet<string> = new Set(['auth.PolicySelectorAnalyzer', 'ambient.IneffectivePolicyAnalyzer'])
/** A part of the policy is not for ztunnels; it is told of policies that nobody asked. */
const LEFT_OUT = 'UnsupportedValue'

/** Why policies have no effect, or could have none if nobody asks them; by kind and name. */
export function ineffectivePolicies(objects: readonly Sourced[]): ReadonlyMap<string, string> {
  const snapshot = new Snapshot({ cluster: [], files: objects, canJudge: true })
  const flaws = new Map<string, string>()
  for (const kind of Object.keys(POLICY_SHAPES))
    for (const { object } of snapshot.of(`security.istio.io/${kind}`))
      for (const { status, reason, message } of snapshot.judgement.conditionsOf(object))
        if (status === 'False' || reason === LEFT_OUT) flaws.set(keyed(object), message)
  for (const analyzer of ANALYZERS.filter(({ name }) => FLAWS.has(name)))
    for (const { about, message } of analyzer.analyze(snapshot)) flaws.set(keyed(about.object), message)
  return flaws
}

function keyed({ kind, metadata }: AnyObject): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`
}
