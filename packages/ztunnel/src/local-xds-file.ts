import { readFileSync, statSync } from 'node:fs'
import { dumpPolicy, dumpService, dumpWorkload } from '@ambit/state'
import type { Config } from './config.types.ts'
import { MAX_LOCAL_XDS_BYTES } from './limits.ts'
import { type LocalXds, LocalXdsError, parseLocalXds } from './local-xds.ts'

/** State that comes from a file or the environment instead of a control plane. */
export function readLocalXds({ localXds }: Pick<Config, 'localXds'>): LocalXds | undefined {
  if (localXds === undefined) return undefined
  if ('file' in localXds && statSync(localXds.file).size > MAX_LOCAL_XDS_BYTES) {
    throw new LocalXdsError(`${localXds.file} is larger than ${MAX_LOCAL_XDS_BYTES} bytes`)
  }
  return parseLocalXds('file' in localXds ? readFileSync(localXds.file, 'utf8') : localXds.text)
}

/** As `/config_dump` shows it. */
export function dumpLocalXds({ workloads, services, policies }: LocalXds): object {
  return {
    workloads: workloads.map(dumpWorkload),
    services: services.map((service) => dumpService(service, [])),
    policies: policies.map(dumpPolicy),
  }
}
