import type { FilePlace, FileProblem, Sourced } from '@ambit/analyze'
import { validateObject } from '@ambit/controller/judgement'

/** What the control plane would refuse of the objects of files, with its place. */
export function refusedObjects(objects: readonly Sourced[]): readonly FileProblem[] {
  return objects.flatMap(({ object, place }) => {
    if (place === undefined) return []
    const { errors } = validateObject({ ...object })
    return errors.map((message) => {
      const { line, column } = place.positionOf(pathIn(message))
      const { namespace, name } = object.metadata
      return { file: place.file, line, column, message: `${object.kind} ${namespace ?? ''}/${name}: ${message}` }
    })
  })
}

type Path = Parameters<FilePlace['positionOf']>[0]

/** The field that a problem begins with: `spec.rules[0].from: …`. */
function pathIn(problem: string): Path {
  const [written = ''] = /^[\w.[\]-]+/.exec(problem) ?? []
  return [...written.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? '') : Number(index),
  )
}
