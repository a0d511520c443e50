#!/usr/bin/env node
// `ambit` may be started by any Node >= 20; the workspace itself runs on the Node 26 it installs.
import { join } from 'node:path'
import { root, runUnderWorkspaceNode } from '../../../bin/workspace-node.mjs'

// A third of a command's time is the compiler's: what it made is kept where the sandbox keeps its own. Where that can't be written it is not.
const NODE_COMPILE_CACHE = join(root, '.ambit', 'cache', 'node', 'host')

runUnderWorkspaceNode(new URL('../src/main.ts', import.meta.url), process.argv.slice(2), {
  NODE_COMPILE_CACHE,
  ...process.env,
})
