import { AmbitError } from '@ambit/core'

/** The cluster or a pod did not answer as expected. */
export class ClusterError extends AmbitError {
  readonly code = 'CLI_CLUSTER'
}

/** The API server does not know a kind; its CRD may be missing. */
export class NotServedError extends AmbitError {
  readonly code = 'CLI_NOT_SERVED'
}

/** A waypoint cannot be made, or not like this. */
export class WaypointError extends AmbitError {
  readonly code = 'CLI_WAYPOINT'
}

/** What was asked for does not exist, or the command cannot tell which one is meant. */
export class SelectionError extends AmbitError {
  readonly code = 'CLI_SELECTION'
}

/** Something read (a manifest, a dump, an answer) does not have the shape it should have. */
export class DecodeError extends AmbitError {
  readonly code = 'CLI_DECODE'
}

/** What was installed did not become ready in time. */
export class NotReadyError extends AmbitError {
  readonly code = 'CLI_NOT_READY'
}

/** A setting of an installation is not understood, or asks for what this version does not have. */
export class SettingError extends AmbitError {
  readonly code = 'CLI_SETTING'
}
