import type { Clock, Logger } from '@ambit/core'
import type { ObjectClient } from '../apiserver/contract.types.ts'
import type { EventRecorder } from '../kubelet/event-recorder.ts'
import type { ControllerCaches } from './caches.ts'

export interface ControllerComponents {
  readonly client: ObjectClient
  readonly logger: Logger
  readonly clock: Clock
  readonly events: EventRecorder
  readonly caches: ControllerCaches
}
