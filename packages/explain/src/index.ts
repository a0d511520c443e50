export * from './explanation.types.ts'
export type * from './question.types.ts'
