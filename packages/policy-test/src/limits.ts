/** Cases of one run, lists and tables multiplied out. */
export const MAX_CASES = 100_000
/** Mistakes in one test that are told before the rest is only counted. */
export const MAX_TEST_PROBLEMS = 50
/** Failed cases that are explained, nearest miss and all; of those after only expected and actual are told. */
export const MAX_EXPLAINED_FAILURES = 200
