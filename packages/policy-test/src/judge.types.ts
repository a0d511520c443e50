import type { Answer, Explanation, Question } from '@ambit/explain'

/** Who answers: the mesh that the objects make. */
export interface Judge {
  ask(question: Question): Answer
  explain(question: Question): Explanation
  /** An explanation without policies that are not enforced. */
  trace(question: Question): Explanation
}
