export * from './flow.types.ts'
