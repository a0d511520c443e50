// Enforces the direction of dependencies: a package uses only packages of earlier rows, imports only what it
// declares, and lists every dependency as a project reference. See docs/architecture.md for the table.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROWS: readonly (readonly string[])[] = [
  ['core'],
  ['api', 'linux', 'telemetry', 'kube', 'chart', 'http1', 'http2', 'flow'],
  ['xds', 'identity', 'state'],
  ['policy', 'route', 'hbone'],
  ['testing'],
  ['ztunnel', 'waypoint', 'controller', 'cni'],
  ['sandbox', 'analyze'],
  ['explain'],
  ['policy-test', 'policy-diff', 'graph'],
  ['dashboard'],
  ['cli'],
]

interface Manifest {
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
}

const SCOPE = '@ambit/'
const root = join(import.meta.dirname, '..')
const rowOf = new Map(ROWS.flatMap((names, row) => names.map((name) => [name, row] as const)))

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
}

function ambitNames(dependencies: Record<string, string> | undefined): string[] {
  return Object.keys(dependencies ?? {})
    .filter((name) => name.startsWith(SCOPE))
    .map((name) => name.slice(SCOPE.length))
}

/** Every package a file's import statements name, without the scope. */
function importedPackages(source: string): string[] {
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'@ambit\/([^'/]+)(?:\/[^']+)?'/g)].map((match) => match[1] ?? '')
}

function checkPackage(name: string): string[] {
  const folder = join(root, 'packages', name)
  const row = rowOf.get(name)
  if (row === undefined) return [`packages/${name} has no row in .ci/check-layers.ts`]
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  const references = (
    JSON.parse(readFileSync(join(folder, 'tsconfig.json'), 'utf8')) as { references: { path: string }[] }
  ).references.map((reference) => reference.path.replace('../', ''))
  const declared = ambitNames(manifest.dependencies)
  const problems: string[] = []
  for (const dependency of declared) {
    const other = rowOf.get(dependency)
    if (other === undefined || other >= row) problems.push(`${name} (row ${row}) may not depend on ${dependency}`)
    if (dependency === 'testing') problems.push(`${name} may use testing only as a devDependency`)
    if (!references.includes(dependency))
      problems.push(`packages/${name}/tsconfig.json lacks the reference ../${dependency}`)
  }
  for (const reference of references) {
    if (!declared.includes(reference))
      problems.push(`packages/${name}/tsconfig.json refers to ${reference}, which is no dependency`)
  }
  for (const file of sourcesIn(join(folder, 'src'))) {
    for (const imported of importedPackages(readFileSync(file, 'utf8'))) {
      if (imported.includes('/')) problems.push(`${file} reaches past the index of ${imported.split('/')[0]}`)
      else if (!declared.includes(imported))
        problems.push(`${file} imports ${imported}, which ${name} does not declare`)
    }
  }
  return problems
}

const packages = readdirSync(join(root, 'packages'))
const problems = packages.flatMap(checkPackage)
if (packages.length === 0) problems.push('no packages found: the check saw nothing')
for (const problem of problems) console.error(`layers: ${problem}`)
if (problems.length > 0) process.exit(1)
console.log(`layers: ${packages.length} packages in ${ROWS.length} rows, every dependency points down`)
