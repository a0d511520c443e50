// Preloaded into our own components: keeps their compiled code for the next start, soon after this one has settled.
import { flushCompileCache } from 'node:module'

/** Milliseconds by which a component has loaded what it needs; a killed one would otherwise keep nothing. */
const SETTLED_MS = 8000

setTimeout(flushCompileCache, SETTLED_MS).unref()
