import { messageOf } from '@ambit/core'
import { type Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js'
import { bearerTokenOf } from './ca/bearer-token.ts'
import { REFUSED } from './ca/service.ts'
import type { TokenAuthenticator } from './ca/token-authenticator.ts'

export interface TokenGateComponents {
  readonly tokens: Pick<TokenAuthenticator, 'authenticate'>
  readonly onRefused: (path: string, peer: string, reason: string) => void
}

/**
 * Reads no message of a stranger: a request may be large, as proxies that reconnect name all they hold, and gRPC gathers it
 * whole before any service is asked. Who the caller is and what it may do is the services' to decide, who ask again.
 */
export function tokenGate({ tokens, onRefused }: TokenGateComponents): ServerInterceptor {
  return (method, call) => {
    const refuse = (reason: string): void => {
      onRefused(method.path, call.getPeer(), reason)
      call.sendStatus({ code: status.UNAUTHENTICATED, details: REFUSED })
    }
    const admit = async (metadata: Metadata, pass: (metadata: Metadata) => void): Promise<void> => {
      const token = bearerTokenOf(metadata)
      if (token === undefined) return refuse('no bearer token')
      const verdict = await tokens.authenticate(token).catch((error: unknown) => ({
        authenticated: false as const,
        reason: `the caller could not be verified: ${messageOf(error)}`,
      }))
      if (verdict.authenticated) pass(metadata)
      else refuse(verdict.reason)
    }
    return new ServerInterceptingCall(call, {
      start: (next) => next({ onReceiveMetadata: (metadata, pass) => void admit(metadata, pass) }),
    })
  }
}
