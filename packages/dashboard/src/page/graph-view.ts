import type { TopologyEdge, TopologyNode } from '../topology.types.ts'
import { chooseDrawn } from './choose-drawn.ts'
import { byId, h, icon, s } from './dom.ts'
import { chipKey, fillChip } from './edge-chip.ts'
import { describeEdge, formatBytes } from './format.ts'
import { gateId } from './gates.ts'
import { layoutTopology } from './layout.ts'
import type { Box, Gate, Layout, Point } from './layout.types.ts'
import { markers } from './legend.ts'
import { isDirection, nextInDirection } from './move-focus.ts'
import { fullName, type Selected } from './select.ts'

export interface Opened {
  readonly kind: 'edge' | 'node'
  readonly id: string
}

/** Smaller than this nobody reads it: then it scrolls. */
const LEAST_FIT = 0.72
const ZOOM_STEP = 1.2
const ZOOM = { least: 0.35, most: 2 } as const
/** Edges on which dots travel; more would not be calm. */
const MAX_MOVING = 40
/** From so many labels on, words show only where one looks. */
const CROWD = 70

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)')

interface DrawnEdge {
  readonly group: SVGGElement
  readonly chip: HTMLButtonElement
  chipKey: string
  moving: boolean
}

/** The graph. What is drawn stays the same element, so that focus and movement survive news. */
export class GraphView {
  readonly #canvas: HTMLElement = byId('canvas')
  readonly #svg: SVGSVGElement = s('svg', { id: 'edges', 'aria-hidden': 'true' })
  readonly #servings: SVGGElement = s('g', { class: 'servings' })
  readonly #lines: SVGGElement = s('g')
  readonly #groups = new Map<string, HTMLElement>()
  readonly #nodes = new Map<string, HTMLButtonElement>()
  readonly #gates = new Map<string, HTMLButtonElement>()
  readonly #edges = new Map<string, DrawnEdge>()
  readonly #onOpen: (opened: Opened) => void
  #layout: Layout | undefined
  #shape = ''
  #scale: number | undefined
  #current: string | undefined
  #selected: Selected = { nodes: [], edges: [], servings: [] }
  #all: Selected = this.#selected
  #opened: Opened | undefined

  constructor(onOpen: (opened: Opened) => void) {
    this.#onOpen = onOpen
    this.#svg.append(markers(), this.#servings, this.#lines)
    this.#canvas.append(this.#svg)
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event))
    byId('zoom-in').addEventListener('click', () => this.#zoom((this.#scale ?? this.#fit()) * ZOOM_STEP))
    byId('zoom-out').addEventListener('click', () => this.#zoom((this.#scale ?? this.#fit()) / ZOOM_STEP))
    byId('zoom-fit').addEventListener('click', () => this.#zoom(undefined))
    addEventListener('resize', () => this.show(this.#all, this.#opened))
    reducedMotion.addEventListener('change', () => this.show(this.#all, this.#opened))
  }

  show(all: Selected, opened: Opened | undefined): void {
    const selected = chooseDrawn(all, new Set(this.#edges.keys()))
    this.#selected = selected
    this.#all = all
    this.#opened = opened
    const width = this.#width()
    const shape = JSON.stringify([
      Math.round(width / 40),
      selected.nodes.map(({ id }) => id),
      selected.edges.map(({ id, via }) => [id, via]),
      selected.servings,
    ])
    if (shape !== this.#shape) {
      this.#shape = shape
      const links = selected.servings.map((one) => ({
        id: servingId(one),
        from: one.service,
        to: one.workload,
        isQuiet: true,
      }))
      this.#layout = layoutTopology(selected.nodes, [...selected.edges, ...links], width)
      this.#place(this.#layout)
    }
    this.#update()
  }

  /** Movement stops while the page is paused. */
  pause(paused: boolean): void {
    if (paused) this.#svg.pauseAnimations()
    else this.#svg.unpauseAnimations()
  }

  focus(opened: Opened): void {
    this.#elementOf(keyOf(opened))?.focus()
  }

  /** Brings into sight what was opened: the panel may stand where it was. */
  reveal(opened: Opened): void {
    this.#elementOf(keyOf(opened))?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }

  /** As wide as without a panel: opening one moves nothing. */
  #width(): number {
    return Math.max(320, byId('body').clientWidth - 2)
  }

  #fit(): number {
    const natural = this.#layout?.width ?? 1
    return Math.max(LEAST_FIT, Math.min(1, this.#width() / natural))
  }

  #zoom(scale: number | undefined): void {
    this.#scale = scale === undefined ? undefined : Math.max(ZOOM.least, Math.min(ZOOM.most, scale))
    this.#canvas.style.zoom = String(this.#scale ?? this.#fit())
  }

  #place(layout: Layout): void {
    this.#canvas.style.width = `${layout.width}px`
    this.#canvas.style.height = `${layout.height}px`
    this.#svg.setAttribute('viewBox', `0 0 ${layout.width} ${layout.height}`)
    this.#zoom(this.#scale)
    keep(
      this.#groups,
      layout.groups.map(({ id }) => id),
      (element) => element.remove(),
    )
    for (const group of layout.groups) {
      const element = this.#groups.get(group.id) ?? h('div', { class: 'group' }, h('span', {}, group.namespace))
      if (!this.#groups.has(group.id)) this.#canvas.prepend(element)
      this.#groups.set(group.id, element)
      placeBox(element, group)
    }
    keep(this.#nodes, [...layout.nodes.keys()], (element) => element.remove())
    for (const node of this.#selected.nodes) {
      const box = layout.nodes.get(node.id)
      if (box !== undefined) placeBox(this.#nodeElement(node), box)
    }
    keep(this.#gates, [...layout.gates.keys()], (element) => element.remove())
    for (const [id, gate] of layout.gates) placeBox(this.#gateElement(id, gate), gate)
    keep(
      this.#edges,
      this.#selected.edges.map(({ id }) => id),
      ({ group, chip }) => {
        group.remove()
        chip.remove()
      },
    )
    for (const edge of this.#selected.edges) this.#placeEdge(edge, layout)
    this.#servings.replaceChildren(
      ...this.#selected.servings.flatMap((one) =>
        (layout.edges.get(servingId(one))?.legs ?? []).map((d) => s('path', { d })),
      ),
    )
    this.#canvas.classList.toggle('crowded', this.#selected.edges.length > CROWD)
  }

  #nodeElement(node: TopologyNode): HTMLButtonElement {
    const known = this.#nodes.get(node.id)
    if (known !== undefined) return known
    const element = h(
      'button',
      { type: 'button', class: `node ${node.kind}`, tabindex: -1, title: fullName(node) },
      icon(node.kind),
      h('span', { class: 'name' }, node.name),
      h('span', { class: 'kind' }, node.kind),
    )
    element.addEventListener('click', () => this.#onOpen({ kind: 'node', id: node.id }))
    element.addEventListener('focus', () => this.#setCurrent(`node ${node.id}`))
    this.#nodes.set(node.id, element)
    this.#canvas.append(element)
    return element
  }

  #gateElement(id: string, { waypoint, before }: Gate): HTMLButtonElement {
    const known = this.#gates.get(id)
    if (known !== undefined) return known
    const nameOf = (node: string): string => fullName(this.#selected.nodes.find((one) => one.id === node))
    const name = `waypoint ${nameOf(waypoint)} before ${nameOf(before)}`
    const element = h(
      'button',
      { type: 'button', class: 'gate', tabindex: -1, title: name, 'aria-label': name, 'data-node': waypoint },
      icon('waypoint'),
    )
    element.addEventListener('click', () => this.#onOpen({ kind: 'node', id: waypoint }))
    element.addEventListener('focus', () => this.#setCurrent(`gate ${id}`))
    this.#gates.set(id, element)
    this.#canvas.append(element)
    return element
  }

  #placeEdge(edge: TopologyEdge, layout: Layout): void {
    const path = layout.edges.get(edge.id)
    if (path === undefined) return
    const drawn = this.#edges.get(edge.id) ?? this.#newEdge(edge)
    drawn.group.replaceChildren(
      ...path.legs.flatMap((d) => [
        s('path', { class: 'hit', d }),
        s('path', { class: 'line', d }),
        s('path', { class: 'core', d }),
      ]),
    )
    drawn.moving = false
    drawn.chip.style.transform = `translate(${path.label.x}px, ${path.label.y}px) translate(-50%, -50%)`
  }

  #newEdge(edge: TopologyEdge): DrawnEdge {
    const open = (): void => this.#onOpen({ kind: 'edge', id: edge.id })
    const drawn: DrawnEdge = {
      group: s('g', { onclick: open }),
      chip: h('button', { type: 'button', class: 'chip', tabindex: -1, onclick: open }),
      chipKey: '',
      moving: false,
    }
    drawn.chip.addEventListener('focus', () => this.#setCurrent(`edge ${edge.id}`))
    for (const element of [drawn.chip, drawn.group]) {
      element.addEventListener('pointerenter', () => drawn.group.classList.add('hover'))
      element.addEventListener('pointerleave', () => drawn.group.classList.remove('hover'))
    }
    this.#edges.set(edge.id, drawn)
    this.#lines.append(drawn.group)
    this.#canvas.append(drawn.chip)
    return drawn
  }

  #update(): void {
    const nodes = new Map(this.#selected.nodes.map((node) => [node.id, node]))
    const touched = new Set<string>()
    const touchedGates = new Set<string>()
    let moving = 0
    for (const edge of this.#selected.edges) {
      const drawn = this.#edges.get(edge.id)
      if (drawn === undefined) continue
      const isOpen = this.#opened?.kind === 'edge' && this.#opened.id === edge.id
      if (isOpen) {
        touched.add(edge.from).add(edge.to)
        for (const side of ['left', 'right'] as const) touchedGates.add(gateId(edge, side))
      }
      const isActive = edge.perSecond > 0 || edge.bytesPerSecond > 0
      const state = [
        edge.security.level,
        edge.deniedLately > 0 ? 'is-denied' : edge.failedLately > 0 ? 'is-failed' : '',
        isActive ? 'active' : 'idle',
        isOpen ? 'selected' : '',
        drawn.group.classList.contains('hover') ? 'hover' : '',
      ].join(' ')
      drawn.group.setAttribute('class', `edge ${state}`)
      drawn.chip.setAttribute('class', `chip ${state}`)
      drawn.chip.setAttribute('aria-expanded', String(isOpen))
      const name = describeEdge(
        edge,
        fullName(nodes.get(edge.from)),
        fullName(nodes.get(edge.to)),
        edge.via === undefined ? undefined : fullName(nodes.get(edge.via)),
      )
      drawn.chip.title = `${name}, ${formatBytes(edge.bytesPerSecond)}/s`
      const key = `${name} ${chipKey(edge)}`
      if (drawn.chipKey !== key) {
        drawn.chipKey = key
        fillChip(drawn.chip, edge, name)
      }
      const moves = isActive && !reducedMotion.matches && moving < MAX_MOVING
      if (moves) moving++
      if (moves !== drawn.moving) this.#setMoving(drawn, moves, edge.id)
    }
    for (const [id, gate] of this.#gates) {
      const isOpen = this.#opened?.kind === 'node' && this.#opened.id === gate.dataset['node']
      gate.classList.toggle('selected', isOpen || touchedGates.has(id))
      gate.setAttribute('aria-expanded', String(isOpen))
    }
    for (const [id, element] of this.#nodes) {
      const isOpen = this.#opened?.kind === 'node' && this.#opened.id === id
      element.classList.toggle('selected', isOpen || touched.has(id))
      element.setAttribute('aria-expanded', String(isOpen))
    }
    if (this.#current === undefined || this.#elementOf(this.#current) === undefined) {
      const [first] = this.#nodes.keys()
      if (first !== undefined) this.#setCurrent(`node ${first}`)
    }
  }

  #setMoving(drawn: DrawnEdge, moves: boolean, id: string): void {
    drawn.moving = moves
    for (const dot of drawn.group.querySelectorAll('.dot')) dot.remove()
    if (!moves) return
    for (const path of this.#layout?.edges.get(id)?.legs ?? []) {
      const motion = s('animateMotion', { dur: '2.6s', repeatCount: 'indefinite', path })
      drawn.group.append(s('circle', { class: 'dot', r: 3 }, motion))
    }
  }

  /** One stop for the Tab key; arrow keys go on from there. */
  #setCurrent(key: string): void {
    this.#elementOf(this.#current ?? '')?.setAttribute('tabindex', '-1')
    this.#current = key
    this.#elementOf(key)?.setAttribute('tabindex', '0')
  }

  #elementOf(key: string): HTMLElement | undefined {
    const id = key.slice(5)
    if (key.startsWith('edge ')) return this.#edges.get(id)?.chip
    if (key.startsWith('gate ')) return this.#gates.get(id)
    return this.#nodes.get(id) ?? [...this.#gates.values()].find((gate) => gate.dataset['node'] === id)
  }

  #onKey(event: KeyboardEvent): void {
    if (!isDirection(event.key) || event.ctrlKey || event.altKey || event.metaKey) return
    event.preventDefault()
    const places = this.#places()
    const from = places.get(this.#current ?? '')
    const next = from === undefined ? undefined : nextInDirection(from, places, event.key)
    const element = next === undefined ? undefined : this.#elementOf(next)
    element?.focus()
    element?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  #places(): ReadonlyMap<string, Point> {
    const places = new Map<string, Point>()
    for (const [id, box] of this.#layout?.nodes ?? []) places.set(`node ${id}`, middleOf(box))
    for (const [id, box] of this.#layout?.gates ?? []) places.set(`gate ${id}`, middleOf(box))
    for (const [id, { label }] of this.#layout?.edges ?? []) if (this.#edges.has(id)) places.set(`edge ${id}`, label)
    return places
  }
}

function middleOf({ x, y, width, height }: Box): Point {
  return { x: x + width / 2, y: y + height / 2 }
}

function keyOf({ kind, id }: Opened): string {
  return `${kind} ${id}`
}

function servingId({ service, workload }: { readonly service: string; readonly workload: string }): string {
  return `serves ${service} ${workload}`
}

function placeBox(element: HTMLElement, box: Box): void {
  element.style.width = `${box.width}px`
  element.style.height = `${box.height}px`
  element.style.transform = `translate(${box.x}px, ${box.y}px)`
}

function keep<T>(known: Map<string, T>, wanted: readonly string[], drop: (gone: T) => void): void {
  const still = new Set(wanted)
  for (const [id, one] of known) {
    if (still.has(id)) continue
    known.delete(id)
    drop(one)
  }
}
