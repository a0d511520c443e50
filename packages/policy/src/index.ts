export { authorizeConnection, NOT_ALLOWED } from './authorize-connection.ts'
export type * from './verdict.types.ts'
export type * from './request-verdict.types.ts'
