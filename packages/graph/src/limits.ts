/** Pairs of a client and what it talks to that one graph holds; the one that was told of longest ago makes room. */
export const MAX_GRAPH_EDGES = 5_000

/** Flows that are open; of further ones nothing is counted before they end. */
export const MAX_OPEN_FLOWS = 262_144

/** Addresses outside of the mesh that are shown each by itself; the others are one node. */
export const MAX_ADDRESS_NODES = 256

/** Flows that have ended and are known not to be counted again; the oldest is forgotten. */
export const MAX_REMEMBERED_FLOWS = 65_536

/** Distinct values (endpoints, identities, groups) one edge lists of each kind; further ones are left out. */
export const MAX_EDGE_VALUES = 64
