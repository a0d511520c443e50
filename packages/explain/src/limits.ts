/** Waypoints and gateways that one request may go through; more would be a loop. */
export const MAX_PROXIES_ON_THE_WAY = 4
/** Clients that a model remembers, so that the next question about one costs a look-up. */
export const MAX_REMEMBERED_CLIENTS = 10_000
/** Names listed where one is not known and none is near. */
export const MAX_LISTED_NAMES = 8
/** Longest value shown, characters: claims and headers may be of any length. */
export const MAX_SHOWN_CHARACTERS = 400
/** Values shown of one list of a clause. */
export const MAX_SHOWN_VALUES = 4
/** Rules shown of one policy in a text; JSON has all that were asked. */
export const MAX_SHOWN_RULES = 20
