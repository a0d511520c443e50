/** Of one file, bytes: everything in it is in memory at once, with the places of its fields. */
export const MAX_FILE_BYTES: number = 16 * 1024 * 1024
/** Of one file. */
export const MAX_DOCUMENTS = 10_000
/** Depth of aliases and lists within one document, so that a document can't unfold into more than the memory there is. */
export const MAX_ALIASES = 100
/** Levels of a list's lists, `kind: List`. */
export const MAX_LIST_DEPTH = 4
/** Names that a message lists before it only counts. */
export const MAX_NAMES_IN_MESSAGE = 5
/** Rules of a VirtualService, or matches of routes on one parent, that are compared with each other. */
export const MAX_COMPARED_RULES = 2000
