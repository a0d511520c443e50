/** Rules whose clauses one explanation of a verdict lists. */
export const MAX_EXPLAINED_RULES = 1_000
