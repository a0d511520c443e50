import type { MeshModel, Question } from '@ambit/explain'
import { WITHHELD } from '@ambit/flow'
import type { FlowsHeader, RecordedFlow } from '../flows/flows.types.ts'
import { exampleOf, fitsTemplate, isOnePath } from '../flows/path-template.ts'
import type { Diagram } from '../semantic/diagram.ts'
import type { Dimension } from '../semantic/dimension.ts'
import type { Forms } from '../semantic/policy-forms.ts'

/** What a recorded flow says of each field, and what it leaves open. */
export interface KnownValues {
  readonly question: Pick<Question, 'from' | 'request' | 'sourceIp'>
  /** Undefined: the recording does not have it. */
  readonly of: (dimension: Dimension) => { readonly value: string | undefined } | undefined
  /** Template of its path, where that stands for several. */
  readonly template: string | undefined
}

const SPIFFE = 'spiffe://'

/** An address of each workload, `namespace/name`. */
export function addressesOf(pods: ReturnType<MeshModel['pods']>): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  for (const { namespace, workloadName, ips } of pods) {
    const [first] = ips
    const key = `${namespace}/${workloadName}`
    if (first !== undefined && !addresses.has(key)) addresses.set(key, first)
  }
  return addresses
}

export function knownValues(
  flow: RecordedFlow,
  header: FlowsHeader,
  addresses: ReadonlyMap<string, string>,
): KnownValues {
  const { client, request } = flow
  const sourceIp = addresses.get(`${client.namespace}/${client.workload}`)
  const path = request === undefined ? undefined : exampleOf(request.path)
  const headers = Object.entries(request?.headers ?? {}).filter(([, value]) => value !== WITHHELD)
  const template = request !== undefined && !isOnePath(request.path) ? request.path : undefined
  return {
    question: {
      from:
        client.identity === undefined
          ? { kind: 'outside' }
          : { kind: 'identity', identity: client.identity, isProven: true },
      ...(sourceIp === undefined ? {} : { sourceIp }),
      ...(request === undefined || path === undefined
        ? {}
        : {
            request: {
              method: request.method,
              path,
              host: request.host,
              ...(headers.length === 0 ? {} : { headers }),
              ...(request.claims === undefined ? {} : { claims: request.claims }),
            },
          }),
    },
    template,
    of: (dimension) => {
      if (dimension === 'client') return { value: client.identity?.slice(SPIFFE.length) }
      if (dimension === 'sourceIp') return sourceIp === undefined ? undefined : { value: sourceIp }
      if (request === undefined) return undefined
      if (dimension === 'method') return { value: request.method }
      if (dimension === 'host') return { value: request.host }
      if (dimension === 'path') return template === undefined ? { value: path } : undefined
      if (!dimension.startsWith('header ')) return { value: undefined }
      const name = dimension.slice('header '.length)
      const value = request.headers?.[name]
      return header.reads.headers.includes(name) && value !== WITHHELD ? { value } : undefined
    },
  }
}

/** Fields that the outcome depends on and the recording leaves open. */
export function openFields<L>(diagram: Diagram<L>, forms: Forms, known: KnownValues): readonly Dimension[] {
  const open = new Set<Dimension>()
  const visit = (at: Diagram<L>): void => {
    if (at.kind === 'leaf') return
    const possible = at.branches.filter(({ classes }) => mayBe(at.dimension, classes, forms, known))
    if (possible.length > 1) open.add(at.dimension)
    for (const { to } of possible) visit(to)
  }
  visit(diagram)
  return [...open]
}

function mayBe(dimension: Dimension, classes: readonly number[], forms: Forms, known: KnownValues): boolean {
  const told = known.of(dimension)
  if (told !== undefined) {
    const at = forms.classOf(dimension, told.value)
    return at === undefined || classes.includes(at)
  }
  if (dimension !== 'path' || known.template === undefined) return true
  const fits = fitsTemplate(known.template)
  const usual = forms.classOf('path', exampleOf(known.template))
  return classes.some((i) => {
    const one = forms.classes.get('path')?.[i]
    return i === usual || [one?.value ?? '', ...(one?.labels ?? [])].some(fits)
  })
}
