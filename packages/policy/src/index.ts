export { authorizeConnection, NOT_ALLOWED } from './authorize-connection.ts'
export type * from './verdict.types.ts'
