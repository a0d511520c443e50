import type { Journey } from './journey/journey.types.ts'
import type { Client } from './names/client.types.ts'
import type { Target } from './names/target.types.ts'
import type { Question } from './question.types.ts'

/** A question, who and what it is about, and what became of it. */
export interface Asked {
  readonly question: Question
  readonly client: Client
  readonly target: Target
  readonly journey: Journey
}
