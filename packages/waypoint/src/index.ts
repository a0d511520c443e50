export { App } from './app.ts'
export type { AppOverrides, BoundPorts } from './app.types.ts'
export { ConfigError, readConfig } from './config.ts'
export type { Config } from './config.types.ts'
