import type { Explanation, Question } from '@ambit/explain'
import type { EdgeDetail, Greeting, Topology } from './topology.types.ts'

/** What the server shows, whoever knows it. */
export interface DashboardFeed {
  readonly greeting: Greeting
  topology(): Topology
  edge(id: string): EdgeDetail | undefined
  /** Rejects with an error whose message is for the person who asked. */
  explain(question: Question, signal: AbortSignal): Promise<Explanation>
}
