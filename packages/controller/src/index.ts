export { type Controller, type ControllerComponents, startController } from './app.ts'
export { type CompiledPolicy, compileAuthorizationPolicy, type PolicyOptions } from './compile/authorization.ts'
export {
  attachedAuthentication,
  convertPeerAuthentication,
  type EffectiveAuthentication,
  staticStrict,
} from './compile/peer-authentication.ts'
export { type ControllerConfig, readConfig } from './config.ts'
export type { AuthorizationPolicy, MeshContext, PeerAuthentication } from './domain.types.ts'
export { MeshIndex } from './index/mesh-index.ts'
export { decodeAuthorizationPolicy } from './watch/decode-authorization-policy.ts'
export { decodePeerAuthentication } from './watch/decode-peer-authentication.ts'
