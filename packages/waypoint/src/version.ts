/** Of this program; what `ambit version` and `proxy-status` show. */
export const VERSION = '0.1.0'
