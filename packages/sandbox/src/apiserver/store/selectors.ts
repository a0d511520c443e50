import type { SelectorRequirement } from '../../objects/pod.types.ts'
import { matchesRequirement, matchesSelector } from '../../objects/selector.ts'
import type { KubeObject } from '../contract.types.ts'
import { at, isObject, objectOf, textOf } from '../json.ts'
import { badRequest } from '../status-error.ts'

export type Predicate = (object: KubeObject) => boolean

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
  return (object) => requirements.every((requirement) => matchesRequirement(requirement, object.metadata.labels))
}

/** Whether labels satisfy a `LabelSelector` object; an absent selector matches nothing. */
export function matchesLabelSelector(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (!isObject(selector)) return false
  const expressions = selector['matchExpressions']
  return matchesSelector(
    {
      matchLabels: objectOf(selector['matchLabels']) as Record<string, string>,
      matchExpressions: Array.isArray(expressions) ? (expressions as SelectorRequirement[]) : [],
    },
    labels,
  )
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

function parseRequirement(text: string): SelectorRequirement {
  const set = SET.exec(text)
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim())
    return { key: set[1] ?? '', operator: set[2] === 'in' ? 'In' : 'NotIn', values }
  }
  const equality = EQUALITY.exec(text)
  if (equality !== null)
    return { key: equality[1] ?? '', operator: equality[2] === '!=' ? 'NotIn' : 'In', values: [equality[3] ?? ''] }
  const order = ORDER.exec(text)
  if (order !== null) return { key: order[1] ?? '', operator: order[2] === '>' ? 'Gt' : 'Lt', values: [order[3] ?? ''] }
  const exists = EXISTS.exec(text)
  if (exists !== null)
    return { key: exists[2] ?? '', operator: exists[1] === '!' ? 'DoesNotExist' : 'Exists', values: [] }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text.slice(0, 200))} is no label requirement`)
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
