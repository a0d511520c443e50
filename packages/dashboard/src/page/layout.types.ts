export interface LayoutNode {
  readonly id: string
  readonly namespace?: string | undefined
}

export interface LayoutEdge {
  readonly id: string
  readonly from: string
  readonly to: string
  /** Node that stands at the door of `to`. */
  readonly via?: string | undefined
  /** Drawn without a label. */
  readonly isQuiet?: boolean | undefined
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Box extends Point {
  readonly width: number
  readonly height: number
}

/** One straight part of an edge, from a node to a node. */
export interface Leg {
  readonly edge: string
  readonly from: string
  readonly to: string
  /** Node that it is sorted by among legs between the same two: where the edge begins. */
  readonly comesFrom?: string | undefined
}

/** A node, or the place where a leg passes a column that it has no node in. */
export interface Slot {
  readonly id: string
  readonly layer: number
  readonly band: number
  readonly height: number
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly groups: readonly Group[]
  readonly nodes: ReadonlyMap<string, Box>
  readonly gates: ReadonlyMap<string, Gate>
  readonly edges: ReadonlyMap<string, EdgePath>
}

/** Frame around nodes of a namespace. */
export interface Group extends Box {
  readonly id: string
  readonly namespace: string
}

/** A waypoint, drawn at the door of what it stands before: it may stand before many. */
export interface Gate extends Box {
  readonly waypoint: string
  readonly before: string
}

export interface EdgePath {
  /** SVG paths, from the client on. */
  readonly legs: readonly string[]
  /** Middle of the label. */
  readonly label: Point
}
