import type { Clock, Logger, SocketFactory } from '@ambit/core'
import type { ObjectClient } from '../apiserver/contract.types.ts'
import type { BaseRoot } from '../host/base-root.ts'
import type { CatalogueOptions } from '../images/catalogue.ts'
import type { NodeAddresses } from '../net/addresses.ts'
import type { LaunchTools } from './container-process.ts'
import type { EnvironmentSources } from './environment.ts'
import type { EventRecorder } from './event-recorder.ts'
import type { SandboxComponents } from './pod-sandbox.ts'
import type { VolumeSources } from './volumes.ts'

/** What a node's pods are run with. */
export interface NodeComponents {
  readonly node: NodeAddresses
  readonly client: ObjectClient
  readonly clock: Clock
  readonly logger: Logger
  readonly events: EventRecorder
  readonly sandbox: SandboxComponents
  readonly base: BaseRoot
  readonly catalogue: CatalogueOptions
  /** Folder of compiled code for containers of our own images. */
  readonly compileCache: string | undefined
  readonly environment: EnvironmentSources
  readonly volumes: VolumeSources
  readonly tools: LaunchTools
  /** Sockets in the node's namespace. */
  readonly sockets: SocketFactory
  /** Pods' own files: on the sandbox's tmpfs, gone with it. */
  readonly podsFolder: string
  /** Logs stay on disk. */
  readonly logsFolder: string
  /** Empty folder that every container mounts its root on. */
  readonly rootMountPoint: string
  /** Whether users other than root exist here (the sandbox runs as real root). */
  readonly manyUsers: boolean
}
