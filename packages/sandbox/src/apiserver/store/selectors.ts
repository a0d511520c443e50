import type { KubeObject } from '../contract.types.ts'
import { at, objectOf, textOf } from '../json.ts'
import { badRequest } from '../status-error.ts'

export type Predicate = (object: KubeObject) => boolean

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'absent' | 'gt' | 'lt'
  readonly values: readonly string[]
}

const KEY = '[A-Za-z0-9](?:[-A-Za-z0-9_./]{0,315}[A-Za-z0-9])?'
const VALUE = '[-A-Za-z0-9_.]{0,63}'
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s+\\(([^()]*)\\)$`)
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`)
const ORDER = new RegExp(`^(${KEY})\\s*(>|<)\\s*(-?\\d+)$`)
const EXISTS = new RegExp(`^(!?)\\s*(${KEY})$`)

/** A label selector of a query, e.g. `app=x,tier in (a,b),!old`; throws 400 when it can't be read. */
export function parseLabelSelector(selector: string | undefined): Predicate {
  const requirements = splitTop(selector ?? '').map(parseRequirement)
  if (requirements.length === 0) return () => true
  return (object) => requirements.every((requirement) => satisfies(requirement, object.metadata.labels ?? {}))
}

/** Whether labels satisfy a `LabelSelector` object; an absent selector matches nothing. */
export function matchesLabelSelector(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (typeof selector !== 'object' || selector === null) return false
  for (const [key, value] of Object.entries(objectOf(at(selector, 'matchLabels'))))
    if (labels[key] !== value) return false
  const expressions = at(selector, 'matchExpressions')
  for (const expression of Array.isArray(expressions) ? (expressions as unknown[]) : []) {
    const operator = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' }[
      String(at(expression, 'operator'))
    ] as Requirement['operator'] | undefined
    const values = at(expression, 'values')
    if (operator === undefined) return false
    const requirement = { key: String(at(expression, 'key')), operator, values: Array.isArray(values) ? values : [] }
    if (!satisfies(requirement, labels)) return false
  }
  return true
}

/** Splits at commas outside parentheses. */
function splitTop(selector: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const character of selector) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += character
  }
  parts.push(part)
  return parts.map((text) => text.trim()).filter((text) => text !== '')
}

function parseRequirement(text: string): Requirement {
  const set = SET.exec(text)
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim())
    return { key: set[1] ?? '', operator: set[2] === 'in' ? 'in' : 'notin', values }
  }
  const equality = EQUALITY.exec(text)
  if (equality !== null)
    return { key: equality[1] ?? '', operator: equality[2] === '!=' ? 'notin' : 'in', values: [equality[3] ?? ''] }
  const order = ORDER.exec(text)
  if (order !== null) return { key: order[1] ?? '', operator: order[2] === '>' ? 'gt' : 'lt', values: [order[3] ?? ''] }
  const exists = EXISTS.exec(text)
  if (exists !== null) return { key: exists[2] ?? '', operator: exists[1] === '!' ? 'absent' : 'exists', values: [] }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text.slice(0, 200))} is no label requirement`)
}

function satisfies(requirement: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.includes(value)
    case 'notin':
      return value === undefined || !requirement.values.includes(value)
    case 'exists':
      return value !== undefined
    case 'absent':
      return value === undefined
    case 'gt':
      return value !== undefined && Number(value) > Number(requirement.values[0])
    case 'lt':
      return value !== undefined && Number(value) < Number(requirement.values[0])
    default:
      return requirement.operator satisfies never
  }
}

const META_FIELDS = ['metadata.name', 'metadata.namespace']

/** Fields beyond the metadata that Kubernetes selects by, per kind. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Pod: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  Event: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
    'regarding.kind',
    'regarding.namespace',
    'regarding.name',
    'regarding.uid',
  ],
  Secret: ['type'],
  Service: ['spec.clusterIP', 'spec.type'],
  Node: ['spec.unschedulable'],
  Namespace: ['status.phase'],
  ReplicaSet: ['status.replicas'],
}

/** Defaults that a field has in its absence, as a selector sees it. */
const ABSENT: Readonly<Record<string, string>> = { 'spec.hostNetwork': 'false', 'spec.unschedulable': 'false' }

/** A field selector, e.g. `spec.nodeName=a,status.phase!=Running`; 400 for fields that the kind doesn't offer. */
export function parseFieldSelector(kind: string, selector: string | undefined): Predicate {
  const predicates: Predicate[] = []
  for (const text of (selector ?? '').split(',').filter((part) => part.trim() !== '')) {
    const match = /^\s*([\w.]+)\s*(==|=|!=)(.*)$/.exec(text)
    if (match === null) throw badRequest(`invalid field selector: ${JSON.stringify(text.slice(0, 200))}`)
    const [, field = '', operator, wanted = ''] = match
    if (!META_FIELDS.includes(field) && !(FIELDS[kind] ?? []).includes(field))
      throw badRequest(`field label not supported: ${field}`)
    const path = field === 'source' ? ['source', 'component'] : field.split('.')
    predicates.push((object) => {
      const value = at(object, ...path)
      const text = value === undefined || value === null ? (ABSENT[field] ?? '') : textOf(value)
      return (text === wanted) === (operator !== '!=')
    })
  }
  return (object) => predicates.every((predicate) => predicate(object))
}
