/** Stands for the value of a header that was there and is nobody's to read. */
export const WITHHELD = '[withheld]'
