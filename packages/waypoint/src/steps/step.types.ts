import type { LocalReply } from '../local-reply.ts'
import type { RequestState } from '../request.types.ts'

/** One decision about a request. Answers with what the client gets when the request ends here; only what has to wait promises it. */
export interface Step {
  readonly name: string
  run(state: RequestState): LocalReply | undefined | Promise<LocalReply | undefined>
}
