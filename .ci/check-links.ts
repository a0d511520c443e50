// Keeps the documents' paths true: every relative link of a Markdown file, and every path of this repository that one
// quotes, exists. A package's own README may write paths from its folder or from its src.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const FOLDERS = ['docs', 'deploy', 'packages', 'test'] as const
const root = join(import.meta.dirname, '..')

function documents(): readonly string[] {
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(root, folder, file)),
  )
  return [join(root, 'README.md'), ...below].filter(
    (file) => file.endsWith('.md') && !/\/(?:node_modules|dist|gen)\//.test(file),
  )
}

/** Targets of `[text](target)` that are files of ours, without their fragment. */
function linksIn(text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1]?.replace(/#.*$/, '') ?? '')
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
}

/** Quoted words that can only be paths of this repository; patterns and placeholders are no paths. */
function pathsIn(text: string, isPackage: boolean): readonly string[] {
  return [...text.matchAll(/`([^`\s]+)`/g)]
    .map((match) => match[1] ?? '')
    .filter((word) => !/[*<>{}…$]|\bX\b/.test(word))
    .filter(
      (word) =>
        /^(?:packages|docs|deploy|bin|\.ci|test)\/./.test(word) ||
        (isPackage && (word.startsWith('src/') || /^[\w-][\w/-]*\/[\w.-]+\.ts$/.test(word))),
    )
}

function problemsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const [top, name = ''] = relative(root, file).split('/')
  const home = top === 'packages' ? join(root, 'packages', name) : undefined
  const bases = home === undefined ? [root] : [root, home, join(home, 'src'), join(home, 'test'), dirname(file)]
  const shown = relative(root, file)
  return [
    ...linksIn(text)
      .filter((target) => !existsSync(join(dirname(file), target)))
      .map((target) => `${shown}: the link ${target} leads nowhere`),
    ...pathsIn(text, home !== undefined)
      .filter((path) => !bases.some((base) => existsSync(join(base, path))))
      .map((path) => `${shown}: ${path} does not exist`),
  ]
}

const files = documents()
const problems = files.flatMap(problemsOf)
if (files.length < 2) problems.push('no documents found: the check saw nothing')
for (const problem of problems) console.error(`links: ${problem}`)
if (problems.length > 0) process.exit(1)
console.log(`links: ${files.length} documents, every path they name exists`)
