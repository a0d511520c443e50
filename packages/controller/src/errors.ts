import { AmbitError } from '@ambit/core'

/** The environment or the command line says something that can not be. */
export class ConfigError extends AmbitError {
  readonly code = 'CONTROLLER_CONFIG'
}

/** The certificate authority's key or certificates are missing or wrong. */
export class CaSetupError extends AmbitError {
  readonly code = 'CA_SETUP'
}
