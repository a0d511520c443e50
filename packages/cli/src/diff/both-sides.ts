import type { Sourced } from '@ambit/analyze'
import { keyOf, type Sides } from '@ambit/policy-diff'
import { SelectionError, SettingError } from '../errors.ts'

export interface Change {
  /** Laid over what is there. */
  readonly files: readonly Sourced[]
  /** `KIND/NS/NAME`, or `KIND/NAME`. */
  readonly deleted: readonly string[]
  /** Whether policies that the files do not have go. */
  readonly prune: boolean
  /** Of what namespace; undefined: of all. */
  readonly namespace: string | undefined
}

const POLICIES: ReadonlySet<string> = new Set(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication'])

/** What there is, and what there will be. */
export function bothSides(now: readonly Sourced[], change: Change): Sides<readonly Sourced[]> {
  const { files, deleted, prune, namespace } = change
  const gone = new Set(deleted.map((written) => find(now, written)))
  const kept = new Set(files.map(({ object }) => keyOf(object)))
  const isPruned = ({ object }: Sourced): boolean =>
    prune &&
    POLICIES.has(object.kind) &&
    !kept.has(keyOf(object)) &&
    (namespace === undefined || object.metadata.namespace === namespace)
  return { before: now, after: [...now.filter((one) => !gone.has(one) && !isPruned(one)), ...files] }
}

function find(now: readonly Sourced[], written: string): Sourced {
  const [kind = '', ...name] = written.split('/')
  const [namespace, last] = name.length === 1 ? ['', name[0]] : name
  if (name.length === 0 || name.length > 2 || !last) {
    throw new SettingError(
      `--delete is KIND/NAMESPACE/NAME such as AuthorizationPolicy/shop/readers, not ${JSON.stringify(written)}`,
    )
  }
  const found = now.find(
    ({ object: { kind: is, metadata } }) =>
      is.toLowerCase() === kind.toLowerCase() && (metadata.namespace ?? '') === namespace && metadata.name === last,
  )
  if (found === undefined) throw new SelectionError(`there is no ${written} to delete`)
  return found
}
