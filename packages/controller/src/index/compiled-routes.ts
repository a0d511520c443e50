import { type BackendVerdict, type CompiledRoute, compileRoute, type ResolveBackend } from '../compile/route.ts'
import type { MeshRoute } from '../route.types.ts'

interface Compiled {
  readonly verdicts: string
  readonly routes: readonly CompiledRoute[]
}

const compiled = new WeakMap<MeshRoute, Compiled>()

/** As {@link compileRoute}; a route whose backends mean what they meant is not compiled again: a gateway may have thousands. */
export function compiledRoutes(route: MeshRoute, resolve: ResolveBackend): readonly CompiledRoute[] {
  const found = new Map<object, BackendVerdict>()
  for (const { backends, mirrors } of route.rules) {
    for (const ref of backends) found.set(ref, resolve(ref))
    for (const { backend } of mirrors) found.set(backend, resolve(backend))
  }
  const verdicts = JSON.stringify([...found.values()])
  const known = compiled.get(route)
  if (known?.verdicts === verdicts) return known.routes
  const routes = compileRoute(route, (ref) => found.get(ref) ?? resolve(ref))
  compiled.set(route, { verdicts, routes })
  return routes
}
