/** Told of everything a compilation looked at beside its own namespace, so that a change there is noticed. */
export type Uses = (key: string) => void
