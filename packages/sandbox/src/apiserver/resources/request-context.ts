/** Who asks, as TokenReview and RBAC see it. */
export interface UserInfo {
  readonly username: string
  readonly uid?: string | undefined
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined
}

/** What a write brings besides the object. */
export interface RequestContext {
  readonly user: UserInfo
  /** Name that managedFields remembers. */
  readonly manager: string
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict'
  readonly dryRun: boolean
  /** Filled while the request is worked on; become Warning headers. */
  readonly warnings: string[]
}

/** The sandbox's own controllers: may do everything. */
export const SYSTEM_USER: UserInfo = {
  username: 'system:apiserver',
  groups: ['system:masters', 'system:authenticated'],
}

/** Context of an in-process call. */
export function internalContext(manager: string): RequestContext {
  return { user: SYSTEM_USER, manager, fieldValidation: 'Ignore', dryRun: false, warnings: [] }
}
