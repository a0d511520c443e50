/** Longest template, or file of a chart, that is read; Istio's largest, all CRDs in one, has 1 MiB. */
export const MAX_CHART_FILE_BYTES: number = 8 * 1024 * 1024
/** How deep templates may include each other (Helm: 1000); beyond it they do so for ever. */
export const MAX_INCLUDE_DEPTH = 200
/** How deep actions and parentheses may nest; far above any chart, far below the stack's end. */
export const MAX_NESTING = 200
/** Evaluations in one rendering; a chart of Istio takes a few thousand. */
export const MAX_STEPS = 5_000_000
/** Longest text one rendering may produce, in characters. */
export const MAX_OUTPUT_CHARACTERS: number = 32 * 1024 * 1024
/** How deep charts may depend on charts. */
export const MAX_DEPENDENCY_DEPTH = 8
