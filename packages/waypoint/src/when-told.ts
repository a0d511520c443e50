import type { SpiffeId } from '@ambit/core'
import type { SecretManager } from '@ambit/identity'
import type { DestinationStore } from '@ambit/state'

/** The initial state may not hold the settings yet when the Gateway is younger than its pod. */
export async function whenSettings(destinations: DestinationStore): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _subscription = destinations.subscribe(() => {
    if (destinations.settings !== undefined) resolve()
  })
  if (destinations.settings === undefined) await promise
}

export async function whenCertificate(secrets: SecretManager, identity: SpiffeId): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  using _subscription = secrets.subscribe(() => resolve())
  secrets.prefetch(identity)
  if (secrets.current(identity) === undefined) await promise
}
