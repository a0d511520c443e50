export type * from './apiserver/contract.types.ts'
export * from './apiserver/create-api-server.ts'
export * from './apiserver/status-error.ts'
export * from './host/sandbox.ts'
