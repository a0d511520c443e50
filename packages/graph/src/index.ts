export type * from './graph.types.ts'
