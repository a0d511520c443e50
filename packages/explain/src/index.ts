export { AmbiguousNameError, UnknownNameError } from './errors.ts'
export * from './explanation.types.ts'
export { MeshModel, type MeshModelInput } from './mesh-model.ts'
export type * from './question.types.ts'
