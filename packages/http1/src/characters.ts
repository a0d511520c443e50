/** What a character may be part of. Text is read as latin1: one character for each byte. */
export const LOWER = 1
export const CAPITAL = 2

/** Of a token (RFC 9110 §5.6.2): LOWER, or CAPITAL where lower case differs; 0 for others. */
export const TOKEN: Uint8Array = new Uint8Array(256)
for (const sign of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") TOKEN[sign.charCodeAt(0)] = LOWER
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') TOKEN[letter.charCodeAt(0)] = CAPITAL

/** 1 for what may stand in a field's value or a reason: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5). */
export const TEXT: Uint8Array = new Uint8Array(256).fill(1, 0x20).fill(1, 0x09, 0x0a).fill(0, 0x7f, 0x80)

/** Value of a hexadecimal digit; 255 for others. */
export const HEX: Uint8Array = new Uint8Array(256).fill(255)
for (const digit of '0123456789abcdefABCDEF') HEX[digit.charCodeAt(0)] = Number.parseInt(digit, 16)

export const CR = 13
export const LF = 10
export const SPACE = 32
export const TAB = 9
export const COLON = 58
export const SEMICOLON = 59
export const DELETE = 127
