/** Values of one field that a destination's policies tell apart; further ones are not tried. */
export const MAX_VALUES = 4_096
/** Combinations of prefixes, suffixes and segments of templates that one list of patterns is filled in with. */
export const MAX_FILLED_PATTERNS = 1_024
/** Questions one comparison asks of both meshes about one destination. */
export const MAX_QUESTIONS_PER_DESTINATION = 20_000
/** The same of all destinations together. */
export const MAX_QUESTIONS = 200_000
/** Destinations one comparison looks at. */
export const MAX_DESTINATIONS = 10_000
/** Regions one comparison tells of one destination. */
export const MAX_REGIONS_PER_DESTINATION = 500
/** Accounts that run which one region names. */
export const MAX_LISTED_CLIENTS = 50
/** Kinds of flows that one recording tells apart; further ones are only counted. */
export const MAX_RECORDED_FLOWS = 50_000
/** Connections open at once of which a recording remembers that they are. */
export const MAX_OPEN_FLOWS = 100_000
/** Templates of paths that a recording keeps of one destination; further paths become one. */
export const MAX_PATH_TEMPLATES = 500
/** Segments of a path template; what lies deeper becomes one. */
export const MAX_TEMPLATE_SEGMENTS = 32
/** Paths whose template is remembered. */
export const MAX_REMEMBERED_PATHS = 10_000
/** Different gaps that a recording tells; further ones are only counted. */
export const MAX_RECORDED_GAPS = 100
/** Bytes of a recording that is read. */
export const MAX_FLOWS_FILE_BYTES: number = 256 * 1024 * 1024
/** Characters of one of its lines. */
export const MAX_FLOWS_LINE = 65_536
/** Mistakes of a recording that are told. */
export const MAX_FLOWS_PROBLEMS = 20
/** Flows that are named of those that can't be judged for one reason. */
export const MAX_NAMED_FLOWS = 5
/** Denials of one comparison for which the nearest rule is looked for. */
export const MAX_NEAREST_MISSES = 1_000
