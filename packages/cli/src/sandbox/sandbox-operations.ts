import { ClusterError } from '../errors.ts'
import type { SandboxOperations } from './sandbox-operations.types.ts'

/** The sandbox package, loaded when a sandbox command needs it. */
export function sandboxOperations(): Promise<SandboxOperations> {
  return Promise.reject(new ClusterError('the sandbox is not part of this build yet'))
}
