export { App, type AppOverrides, type BoundPorts } from './app.ts'
export { ConfigError, readConfig } from './config.ts'
export type { Config } from './config.types.ts'
