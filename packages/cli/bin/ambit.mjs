#!/usr/bin/env node
// `ambit` may be started by any Node >= 20; the workspace itself runs on the Node 26 it installs.
import { runUnderWorkspaceNode } from '../../../bin/workspace-node.mjs'

runUnderWorkspaceNode(new URL('../src/main.ts', import.meta.url), process.argv.slice(2))
