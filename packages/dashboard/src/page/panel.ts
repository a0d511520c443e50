import type { Denial, EdgeDetail, Topology, TopologyEdge } from '../topology.types.ts'
import { byId, h, icon, setText } from './dom.ts'
import { fillChip, securityIcon } from './edge-chip.ts'
import { ExplainForm } from './explain-form.ts'
import { formatAgo, formatBytes, formatNumber, formatRate, securitySentence } from './format.ts'
import type { Opened } from './graph-view.ts'
import { reasonWords } from './reason-words.ts'
import { endsOf, fullName } from './select.ts'
import { Sparkline } from './sparkline.ts'

interface EdgeParts {
  readonly id: string
  readonly facts: HTMLElement
  readonly events: Sparkline
  readonly bytes: Sparkline
  readonly denied: Sparkline
  readonly denials: HTMLElement
  readonly explain: HTMLElement
  form: ExplainForm | undefined
  denialKey: string
  factsKey: string
}

/** What is known of the edge or node that was opened. */
export class Panel {
  readonly #element: HTMLElement = byId('panel')
  readonly #onOpen: (opened: Opened) => void
  readonly #onClose: () => void
  #opened: Opened | undefined
  #parts: EdgeParts | undefined
  #nodeKey = ''
  #asking = false

  constructor(onOpen: (opened: Opened) => void, onClose: () => void) {
    this.#onOpen = onOpen
    this.#onClose = onClose
    this.#element.tabIndex = -1
  }

  open(opened: Opened, topology: Topology): void {
    this.#opened = opened
    this.#nodeKey = ''
    this.#parts = undefined
    this.#element.hidden = false
    document.body.classList.add('with-panel')
    if (opened.kind === 'edge') this.#buildEdge(opened.id, topology)
    this.update(topology)
    this.#element.scrollTop = 0
    this.#element.focus()
  }

  close(): void {
    this.#opened = undefined
    this.#element.hidden = true
    document.body.classList.remove('with-panel')
    this.#element.replaceChildren()
  }

  update(topology: Topology): void {
    if (this.#opened?.kind === 'node') this.#showNode(this.#opened.id, topology)
    if (this.#opened?.kind === 'edge') void this.#showEdge(topology)
  }

  #heading(title: readonly (Node | string)[], kind: string): HTMLElement {
    const close = h('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: this.#onClose }, '×')
    const heading = h('h2', { id: 'panel-title' })
    heading.append(...title)
    this.#element.setAttribute('aria-labelledby', 'panel-title')
    return h('div', { class: 'title' }, h('div', {}, h('p', { class: 'quiet' }, kind), heading), close)
  }

  #buildEdge(id: string, topology: Topology): void {
    const edge = topology.edges.find((one) => one.id === id)
    const nameOf = (node: string | undefined): string => fullName(topology.nodes.find((one) => one.id === node))
    const events = edge?.countsRequests === false ? 'Connections' : 'Requests'
    const parts: EdgeParts = {
      id,
      facts: h('dl', { class: 'facts' }),
      events: new Sparkline({ title: events, format: formatNumber }, 'events'),
      bytes: new Sparkline({ title: 'Bytes', format: formatBytes }, 'bytes'),
      denied: new Sparkline({ title: 'Denied', format: formatNumber }, 'denied'),
      denials: h('section', { class: 'denials' }),
      explain: h('div'),
      form: undefined,
      denialKey: '-',
      factsKey: '',
    }
    this.#parts = parts
    this.#element.replaceChildren(
      this.#heading([nameOf(edge?.from), h('span', { class: 'to' }, ' → '), nameOf(edge?.to)], 'Edge'),
      h(
        'section',
        { class: 'sparks', 'aria-label': 'Last 5 minutes' },
        parts.events.element,
        parts.bytes.element,
        parts.denied.element,
      ),
      parts.facts,
      parts.denials,
      parts.explain,
    )
  }

  async #showEdge(topology: Topology): Promise<void> {
    const parts = this.#parts
    if (parts === undefined || this.#asking) return
    this.#asking = true
    const detail = await readDetail(parts.id)
    this.#asking = false
    if (this.#parts !== parts) {
      // Another edge was opened meanwhile: it was waiting for this one.
      if (this.#opened?.kind === 'edge') void this.#showEdge(topology)
      return
    }
    const edge = topology.edges.find((one) => one.id === parts.id)
    if (edge !== undefined) showFacts(parts, edge, detail, topology)
    if (detail === undefined) return
    const { stepMs, events, bytes, denied } = detail.history
    parts.events.show(events, stepMs)
    parts.bytes.show(bytes, stepMs)
    parts.denied.show(denied, stepMs)
    if (parts.form === undefined && detail.question !== undefined) {
      parts.form = new ExplainForm(detail.question)
      parts.explain.replaceChildren(parts.form.element)
      void parts.form.ask()
    }
    this.#showDenials(parts, detail.denials, Date.parse(topology.at))
  }

  #showDenials(parts: EdgeParts, denials: readonly Denial[], nowMs: number): void {
    const key = denials.map(({ id, times, at }) => `${id} ${times} ${formatAgo(Date.parse(at), nowMs)}`).join()
    if (key === parts.denialKey) return
    parts.denialKey = key
    const hadFocus = parts.denials.contains(document.activeElement)
      ? [...parts.denials.querySelectorAll('button')].indexOf(document.activeElement as HTMLButtonElement)
      : -1
    const row = (denial: Denial): HTMLElement => {
      const { request, times, at } = denial
      const what = request === undefined ? 'connection' : `${request.method} ${request.path}`
      const often = `${times === 1 ? '' : `${times} times, last `}${formatAgo(Date.parse(at), nowMs)}`
      const why = h(
        'button',
        { type: 'button', 'aria-label': `Why: ${what}`, onclick: () => void parts.form?.askAbout(denial) },
        'Why?',
      )
      return h(
        'li',
        {},
        icon('denied'),
        h('div', {}, h('code', {}, what), h('p', {}, reasonWords(denial)), h('p', { class: 'quiet' }, often)),
        parts.form === undefined ? undefined : why,
      )
    }
    parts.denials.replaceChildren(
      h('h3', {}, 'Last denials'),
      denials.length === 0 ? h('p', { class: 'quiet' }, 'None.') : h('ul', {}, ...denials.map(row)),
    )
    if (hadFocus >= 0) parts.denials.querySelectorAll('button')[hadFocus]?.focus()
  }

  #showNode(id: string, topology: Topology): void {
    const node = topology.nodes.find((one) => one.id === id)
    if (node === undefined) return
    const edges = topology.edges.filter((edge) => endsOf(edge).includes(id))
    const key = JSON.stringify(edges)
    if (key === this.#nodeKey) return
    const isFirst = this.#nodeKey === ''
    this.#nodeKey = key
    const names = new Map(topology.nodes.map((one) => [one.id, fullName(one)]))
    const servings = topology.servings.filter((one) => one.service === id || one.workload === id)
    const list = (title: string, own: readonly TopologyEdge[], other: (edge: TopologyEdge) => string): HTMLElement =>
      h(
        'section',
        {},
        h('h3', {}, title),
        own.length === 0 ? h('p', { class: 'quiet' }, 'Nobody.') : undefined,
        h('ul', { class: 'neighbours' }, ...own.map((edge) => this.#edgeButton(edge, other(edge)))),
      )
    const nameOf = (one: string): string => names.get(one) ?? one
    const through = edges.filter(({ via }) => via === id)
    const callers = edges.filter(({ to }) => to === id)
    const called = edges.filter(({ from }) => from === id)
    const focused = isFirst ? undefined : document.activeElement?.getAttribute('data-edge')
    this.#element.replaceChildren(
      this.#heading([fullName(node)], node.kind),
      servings.length === 0
        ? ''
        : h(
            'p',
            { class: 'quiet' },
            servings[0]?.service === id
              ? `Answered by ${servings.map(({ workload }) => nameOf(workload)).join(', ')}`
              : `Answers for ${servings.map(({ service }) => nameOf(service)).join(', ')}`,
          ),
      through.length > 0
        ? list('Passes through it', through, (edge) => `${nameOf(edge.from)} → ${nameOf(edge.to)}`)
        : '',
      ...(through.length > 0 && callers.length + called.length === 0
        ? []
        : [
            list('Calls it', callers, (edge) => nameOf(edge.from)),
            list('It calls', called, (edge) => nameOf(edge.to)),
          ]),
    )
    if (focused) this.#element.querySelector<HTMLElement>(`[data-edge="${CSS.escape(focused)}"]`)?.focus()
  }

  #edgeButton(edge: TopologyEdge, name: string): HTMLElement {
    const chip = h('span', { class: `chip ${edge.deniedLately > 0 ? 'is-denied' : ''} ${edge.security.level}` })
    fillChip(chip, edge)
    const open = (): void => this.#onOpen({ kind: 'edge', id: edge.id })
    return h('li', {}, h('button', { type: 'button', 'data-edge': edge.id, onclick: open }, h('span', {}, name), chip))
  }
}

function showFacts(parts: EdgeParts, edge: TopologyEdge, detail: EdgeDetail | undefined, topology: Topology): void {
  const nowMs = Date.parse(topology.at)
  const { counts } = edge
  const rows: readonly (readonly [string, string])[] = [
    ['Security', securitySentence(edge.security.level)],
    ['Transport', edge.security.seen.join('; ')],
    ['Client', detail?.clientIdentities.join(', ') || 'no identity proved'],
    ['Server', detail?.serverIdentities.join(', ') || 'no identity proved'],
    ['Waypoint', detail?.waypoints.join(', ') || 'none'],
    ['Port', edge.ports.join(', ')],
    ['Now', `${formatRate(edge)}, ${formatBytes(edge.bytesPerSecond)}/s, ${edge.open} open`],
    [
      'Counted',
      `${edge.countsRequests ? `${counts.requests} requests, ` : ''}${counts.connections} connections, ` +
        `${formatBytes(counts.bytesFromClient)} sent, ${formatBytes(counts.bytesToClient)} received, ` +
        `${counts.denied} denied, ${counts.failed} failed`,
    ],
    ['Last seen', formatAgo(Date.parse(edge.lastAt), nowMs)],
  ]
  const shown = rows.filter(([, value]) => value !== '')
  const key = shown.map(([title]) => title).join()
  if (parts.factsKey !== key) {
    parts.factsKey = key
    parts.facts.replaceChildren(...shown.map(([title]) => h('div', {}, h('dt', {}, title), h('dd'))))
  }
  for (const [i, [title, value]] of shown.entries()) {
    const cell = parts.facts.querySelectorAll('dd')[i]
    if (cell === undefined || cell.dataset['value'] === value) continue
    cell.dataset['value'] = value
    if (title === 'Security') {
      cell.className = `security ${edge.security.level}`
      cell.replaceChildren(icon(securityIcon(edge)), value)
    } else setText(cell, value)
  }
}

async function readDetail(id: string): Promise<EdgeDetail | undefined> {
  const response = await fetch(`edge?id=${encodeURIComponent(id)}`).catch(() => undefined)
  return response?.ok === true ? ((await response.json()) as EdgeDetail) : undefined
}
