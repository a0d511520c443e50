import { join } from 'node:path'
import { ROOT_NAMESPACE } from '@ambit/api'
import { fromYaml, overlay, type Value, type ValueMap } from '@ambit/chart'
import { messageOf, nearestWord } from '@ambit/core'
import type { Context } from '../context.types.ts'
import { SettingError } from '../errors.ts'
import { COMPONENTS, type Component, isGateway } from './components.ts'
import { applySetting, parseSetting } from './set-path.ts'

/** What an installation is asked to be. */
export interface InstallSettings {
  readonly profile: string
  readonly namespace: string
  /** `metadata.name` of the IstioOperator; objects are labelled with it. */
  readonly owner: string
  readonly requests: readonly ComponentRequest[]
  /** Profile and user together. */
  readonly values: ValueMap
  /** What the user asked for, to be checked against what the charts know. */
  readonly userValues: ValueMap
  /** What a user should know, one line each. */
  readonly notes: readonly string[]
}

/** One component that is to be there. */
export interface ComponentRequest {
  readonly component: Component
  /** Of a gateway: its name, else the component's key. */
  readonly name: string
  readonly namespace: string
  readonly spec: ValueMap
}

export interface SettingInputs {
  /** Files of `-f`, in order. */
  readonly files: readonly string[]
  /** Values of `--set`, in order. */
  readonly set: readonly string[]
  readonly revision?: string | undefined
  /** Namespace of `-i`. */
  readonly namespace?: string | undefined
}

const DEFAULT_PROFILE = 'ambient'
const PROFILES = ['ambient', 'default', 'demo', 'empty', 'minimal', 'openshift', 'openshift-ambient']
const FOREIGN_PROFILES: Readonly<Record<string, string>> = {
  preview: 'it is made of features of Istio that this mesh does not have',
  remote: 'this version has one cluster only',
  stable: 'it forbids features by an admission policy that this mesh does not have',
}
const SPEC_KEYS = [
  'profile',
  'hub',
  'tag',
  'revision',
  'namespace',
  'meshConfig',
  'components',
  'values',
  'unvalidatedValues',
]

/** Profile < files < `--set`; then the spec's own keys are translated into values. */
export async function readSettings(
  inputs: SettingInputs,
  folder: string,
  files: Pick<Context, 'readFile'>,
): Promise<InstallSettings> {
  let user: ValueMap = new Map<string, Value>([['spec', new Map()]])
  for (const path of inputs.files) user = overlay(user, await readFile(path, files))
  const spec = mapAt(user, 'spec')
  for (const text of inputs.set) applySetting(spec, parseSetting(text))
  refuseUnknown(spec.keys(), SPEC_KEYS, 'setting', 'values.KEY sets a value of the charts')
  refuseRevision(inputs.revision ?? spec.get('revision'))

  const profile = textOf(spec.get('profile')) || DEFAULT_PROFILE
  const base = mapAt(await readProfile(profile, folder, files), 'spec')
  const merged = overlay(base, spec)
  const components = mapAt(merged, 'components')
  refuseUnknown(
    components.keys(),
    COMPONENTS.map(({ key }) => key),
    'component',
    undefined,
  )

  const userValues = overlay(translated(spec), mapAt(spec, 'values'))
  const values = overlay(overlay(mapAt(base, 'values'), userValues), mapAt(spec, 'unvalidatedValues'))
  const metadata = mapAt(user, 'metadata')
  const namespace =
    inputs.namespace ??
    (textOf(metadata.get('namespace')) ||
      textOf(spec.get('namespace')) ||
      textOf(mapAt(values, 'global').get('istioNamespace')))
  const root = namespace || ROOT_NAMESPACE
  const requests = COMPONENTS.flatMap((component) =>
    requestsFor(component, components.get(component.key), root, isAskedByValues(component, values)),
  )
  return {
    profile,
    namespace: root,
    owner: textOf(metadata.get('name')) || 'unknown',
    requests,
    values: overlay(values, enablement(requests, root)),
    userValues,
    notes: notesOf(profile, requests),
  }
}

async function readFile(path: string, files: Pick<Context, 'readFile'>): Promise<ValueMap> {
  let document: Value
  try {
    const text = await files.readFile(path === '-' ? '/dev/stdin' : path)
    if (/^---\s*$[\s\S]*^kind:[\s\S]*^---\s*$[\s\S]*^kind:/m.test(text))
      throw new SettingError('it has several documents')
    document = fromYaml(text)
  } catch (cause) {
    throw new SettingError(`-f ${path} can't be read: ${messageOf(cause)}`, { cause })
  }
  if (!(document instanceof Map)) throw new SettingError(`-f ${path} is no IstioOperator`)
  if (textOf(document.get('kind')) !== 'IstioOperator') {
    throw new SettingError(
      `-f ${path}: kind ${textOf(document.get('kind')) || 'missing'}; it has to be an IstioOperator (install.istio.io/v1alpha1), with a chart's values below spec.values`,
    )
  }
  return document
}

async function readProfile(name: string, folder: string, files: Pick<Context, 'readFile'>): Promise<ValueMap> {
  const why = FOREIGN_PROFILES[name]
  if (why !== undefined)
    throw new SettingError(`profile "${name}" is not available: ${why}. There are: ${PROFILES.join(', ')}`)
  if (!PROFILES.includes(name)) {
    throw new SettingError(`there is no profile "${name}"${meant(PROFILES, name)} There are: ${PROFILES.join(', ')}`)
  }
  const document = fromYaml(await files.readFile(join(folder, 'profiles', `${name}.yaml`)))
  return document instanceof Map ? document : new Map()
}

/** Keys of the spec that are short for values. */
function translated(spec: ValueMap): ValueMap {
  const values: ValueMap = new Map()
  const global: ValueMap = new Map()
  for (const key of ['hub', 'tag']) if (spec.has(key)) global.set(key, textOf(spec.get(key)))
  if (global.size > 0) values.set('global', global)
  if (spec.has('meshConfig')) values.set('meshConfig', mapAt(spec, 'meshConfig'))
  return values
}

/** Charts ask whether other components are there, and where. */
function enablement(requests: readonly ComponentRequest[], namespace: string): ValueMap {
  const has = (key: string): boolean => requests.some(({ component }) => component.key === key)
  const agent = requests.find(({ component }) => component.key === 'ztunnel')
  const pilot: ValueMap = new Map<string, Value>([['cni', new Map<string, Value>([['enabled', has('cni')]])]])
  if (agent !== undefined && agent.namespace !== namespace) pilot.set('trustedZtunnelNamespace', agent.namespace)
  return new Map<string, Value>([
    ['pilot', pilot],
    ['ztunnel', new Map<string, Value>([['istioNamespace', namespace]])],
    ['global', new Map<string, Value>([['istioNamespace', namespace]])],
  ])
}

/** Gateways may also be asked for by `values.gateways.NAME.enabled`. */
function isAskedByValues(component: Component, values: ValueMap): boolean {
  if (!isGateway(component)) return false
  return component.valuesRoot.reduce((map, key) => mapAt(map, key), values).get('enabled') === true
}

function requestsFor(
  component: Component,
  asked: Value | undefined,
  namespace: string,
  isAsked: boolean,
): readonly ComponentRequest[] {
  const one = (value: Value, defaultName: string): readonly ComponentRequest[] => {
    const spec: ValueMap = value instanceof Map ? value : new Map()
    const enabled = spec.get('enabled')
    if (enabled !== undefined && enabled !== null && typeof enabled !== 'boolean') {
      throw new SettingError(`components.${component.key}.enabled is either true or false, not "${textOf(enabled)}"`)
    }
    if (enabled === false && !isAsked) return []
    const name = textOf(spec.get('name')) || defaultName
    return [{ component, name, namespace: textOf(spec.get('namespace')) || namespace, spec }]
  }
  if (asked === undefined || asked === null) return []
  const isList = isGateway(component)
  if (Array.isArray(asked) !== isList) {
    throw new SettingError(
      `components.${component.key} is ${isList ? `a list: components.${component.key}[0]` : 'no list'}`,
    )
  }
  if (!Array.isArray(asked)) return one(asked, component.key)
  const name = component.key === 'ingressGateways' ? 'istio-ingressgateway' : 'istio-egressgateway'
  return asked.flatMap((entry) => one(entry, name))
}

function notesOf(profile: string, requests: readonly ComponentRequest[]): readonly string[] {
  const has = (key: string): boolean => requests.some(({ component }) => component.key === key)
  if (has('ztunnel') === has('cni') && (has('ztunnel') || requests.length === 0)) return []
  if (!has('ztunnel') && !has('cni')) {
    return [
      `! profile ${profile} captures no pod: this mesh has no sidecars. With --set profile=ambient it does, or with components.cni.enabled and components.ztunnel.enabled`,
    ]
  }
  const [here, away] = has('cni') ? ['cni', 'ztunnel'] : ['ztunnel', 'cni']
  return [`! component ${here} without ${away} captures no pod`]
}

function refuseRevision(revision: Value | undefined): void {
  const name = textOf(revision)
  if (name !== '' && name !== 'default') {
    throw new SettingError(
      `revision "${name}" is not available: this version has one revision, default, and upgrades it in place`,
    )
  }
}

function refuseUnknown(
  given: Iterable<string>,
  known: readonly string[],
  what: string,
  hint: string | undefined,
): void {
  for (const key of given) {
    if (known.includes(key)) continue
    const end = hint === undefined ? '' : ` (${hint})`
    throw new SettingError(`unknown ${what} "${key}"${meant(known, key)} There are: ${known.join(', ')}${end}`)
  }
}

export function meant(known: Iterable<string>, wrong: string): string {
  const near = nearestWord(known, wrong)
  return near === undefined ? '.' : `; did you mean "${near}"?`
}

export function mapAt(map: ValueMap, key: string): ValueMap {
  const value = map.get(key)
  if (value instanceof Map) return value
  if (value !== undefined && value !== null)
    throw new SettingError(`${key} has members, and can't be "${textOf(value)}"`)
  return new Map()
}

export function textOf(value: Value | undefined): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : ''
}
