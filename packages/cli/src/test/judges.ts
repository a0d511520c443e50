import type { Sourced } from '@ambit/analyze'
import { MeshModel } from '@ambit/explain'
import type { Judge } from '@ambit/policy-test'

/** Makes meshes of objects, and remembers what their control planes could not compile. */
export interface Judges {
  readonly judgeOf: (objects: readonly Sourced[]) => Judge
  readonly problems: () => readonly string[]
}

export function judgesOf(settings: {
  readonly meshConfig: string | undefined
  readonly rootNamespace: string
}): Judges {
  const problems = new Set<string>()
  return {
    judgeOf: (objects) => {
      const model = MeshModel.of({ objects, ...settings })
      for (const problem of model.problems) problems.add(problem)
      return model
    },
    problems: () => [...problems],
  }
}
