import { type Clock, type Logger, messageOf } from '@ambit/core'
import type { KubeClient } from '@ambit/kube'
import type { ControllerConfig } from '../config.ts'
import { CaSetupError } from '../errors.ts'
import type { MeshIndex } from '../index/mesh-index.ts'
import { Authority } from './authority.ts'
import { readPluggedCa } from './ca-material.ts'
import { loadOrCreateSelfSignedCa } from './self-signed-ca.ts'

/** The plugged CA if there is one, else the cluster's own; waits for whoever repairs a broken one. */
export async function loadAuthority(
  config: ControllerConfig,
  parts: { readonly client: KubeClient; readonly clock: Clock; readonly logger: Logger; readonly index: MeshIndex },
  signal: AbortSignal,
): Promise<Authority> {
  const { client, clock, logger, index } = parts
  let plugged = false
  const read = async (): ReturnType<typeof loadOrCreateSelfSignedCa> => {
    const material = await readPluggedCa(config.pluggedCaFolder)
    if (material !== undefined) {
      plugged = true
      return material
    }
    // Falling back would replace the root of the whole mesh because somebody deleted a Secret.
    if (plugged) throw new CaSetupError(`the plugged CA is gone from ${config.pluggedCaFolder}: restore Secret cacerts`)
    return await loadOrCreateSelfSignedCa(client, {
      namespace: config.namespace,
      trustDomain: index.state.mesh.trustDomain,
    })
  }
  const options = { defaultTtlSeconds: config.defaultCertTtlSeconds, maxTtlSeconds: config.maxCertTtlSeconds }
  for (;;) {
    try {
      return await Authority.load({ read, clock, logger }, options)
    } catch (error) {
      // Without an authority nothing can be served; whoever repairs the Secret need not restart us.
      logger.error(`no certificate authority yet: ${messageOf(error)}`)
      await clock.sleep(2_000, signal)
    }
  }
}
