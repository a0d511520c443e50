import type { TopologyEdge, TopologyNode } from '../topology.types.ts'
import { byId, h, icon, setText } from './dom.ts'
import { securityIcon } from './edge-chip.ts'
import { formatAgo, formatBytes, formatRate, securityWord } from './format.ts'
import type { Opened } from './graph-view.ts'
import { fullName, type Selected } from './select.ts'

interface Row {
  readonly edge: TopologyEdge
  readonly from: string
  readonly to: string
  readonly via: string
}

interface Column {
  readonly title: string
  readonly isNumber?: true
  readonly text: (row: Row, nowMs: number) => string
  readonly order: (row: Row) => string | number
}

const COLUMNS: readonly Column[] = [
  { title: 'From', text: (row) => row.from, order: (row) => row.from },
  { title: 'To', text: (row) => row.to, order: (row) => row.to },
  { title: 'Through', text: (row) => row.via, order: (row) => row.via },
  {
    title: 'Security',
    text: (row) => securityWord(row.edge.security.level),
    order: (row) => row.edge.security.level,
  },
  { title: 'Rate', isNumber: true, text: (row) => formatRate(row.edge), order: (row) => -row.edge.perSecond },
  {
    title: 'Bytes',
    isNumber: true,
    text: ({ edge: { counts } }) => formatBytes(counts.bytesFromClient + counts.bytesToClient),
    order: ({ edge: { counts } }) => -(counts.bytesFromClient + counts.bytesToClient),
  },
  {
    title: 'Denied',
    isNumber: true,
    text: ({ edge }) => (edge.counts.denied === 0 ? '0' : `✗ ${edge.counts.denied}`),
    order: ({ edge }) => -edge.counts.denied,
  },
  {
    title: 'Failed',
    isNumber: true,
    text: ({ edge }) => String(edge.counts.failed),
    order: ({ edge }) => -edge.counts.failed,
  },
  {
    title: 'Last seen',
    text: ({ edge }, nowMs) => formatAgo(Date.parse(edge.lastAt), nowMs),
    order: ({ edge }) => -Date.parse(edge.lastAt),
  },
]

/** The same as the graph, as a table. */
export class ListView {
  readonly #body: HTMLTableSectionElement = h('tbody')
  readonly #heads: readonly HTMLTableCellElement[]
  readonly #rows = new Map<string, { readonly row: HTMLTableRowElement; readonly open: HTMLButtonElement }>()
  readonly #onOpen: (opened: Opened) => void
  #sortBy = 0
  #shown: readonly [Selected, Opened | undefined, string] = [{ nodes: [], edges: [], servings: [] }, undefined, '']

  constructor(onOpen: (opened: Opened) => void) {
    this.#onOpen = onOpen
    this.#heads = COLUMNS.map((column, i) =>
      h(
        'th',
        { scope: 'col', class: column.isNumber && 'number' },
        h('button', { type: 'button', onclick: () => this.#sort(i) }, column.title),
      ),
    )
    byId('list-view').append(
      h(
        'table',
        {},
        h('caption', { class: 'sr' }, 'Who talks to whom'),
        h('thead', {}, h('tr', {}, ...this.#heads)),
        this.#body,
      ),
    )
  }

  show(selected: Selected, opened: Opened | undefined, at: string): void {
    this.#shown = [selected, opened, at]
    const nodes = new Map<string, TopologyNode>(selected.nodes.map((node) => [node.id, node]))
    const column = COLUMNS[this.#sortBy]
    const rows = selected.edges
      .map((edge) => ({
        edge,
        from: fullName(nodes.get(edge.from)),
        to: fullName(nodes.get(edge.to)),
        via: edge.via === undefined ? '–' : fullName(nodes.get(edge.via)),
      }))
      .sort((a, b) => compare(column?.order(a) ?? '', column?.order(b) ?? '') || compare(a.edge.id, b.edge.id))
    for (const [i, head] of this.#heads.entries()) {
      if (i === this.#sortBy) head.setAttribute('aria-sort', COLUMNS[i]?.isNumber ? 'descending' : 'ascending')
      else head.removeAttribute('aria-sort')
    }
    const wanted = new Set(rows.map(({ edge }) => edge.id))
    for (const [id, { row }] of this.#rows) {
      if (wanted.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    for (const [i, row] of rows.entries()) this.#showRow(row, i, opened, Date.parse(at))
  }

  focus({ id }: Opened): void {
    this.#rows.get(id)?.open.focus()
  }

  #sort(column: number): void {
    this.#sortBy = column
    this.show(...this.#shown)
  }

  #showRow(row: Row, at: number, opened: Opened | undefined, nowMs: number): void {
    const { edge } = row
    const drawn = this.#rows.get(edge.id) ?? this.#newRow(row)
    const isOpen = opened?.kind === 'edge' && opened.id === edge.id
    drawn.row.className = `${edge.security.level}${edge.deniedLately > 0 ? ' is-denied' : ''}${isOpen ? ' selected' : ''}`
    drawn.open.setAttribute('aria-expanded', String(isOpen))
    for (const [i, column] of COLUMNS.entries()) {
      if (i === 0) continue
      const cell = drawn.row.cells[i]
      const text = column.text(row, nowMs)
      const words = cell?.querySelector('.words')
      if (words) setText(words, text)
      if (column.title === 'Security' && cell && cell.dataset['level'] !== edge.security.level) {
        cell.dataset['level'] = edge.security.level
        cell.querySelector('.icon')?.replaceWith(icon(securityIcon(edge)))
      }
    }
    if (this.#body.rows[at] !== drawn.row) this.#body.insertBefore(drawn.row, this.#body.rows[at] ?? null)
  }

  #newRow({ edge, from, to }: Row): { readonly row: HTMLTableRowElement; readonly open: HTMLButtonElement } {
    const open = h('button', { type: 'button', class: 'link', 'aria-label': `${from} to ${to}` }, from)
    open.addEventListener('click', () => this.#onOpen({ kind: 'edge', id: edge.id }))
    const row = h(
      'tr',
      {},
      ...COLUMNS.map((column, i) => {
        if (i === 0) return h('th', { scope: 'row' }, open)
        const sign = column.title === 'Security' ? icon(securityIcon(edge)) : undefined
        const attributes = { class: column.isNumber && 'number', 'data-title': column.title }
        return h('td', attributes, sign, h('span', { class: 'words' }))
      }),
    )
    const drawn = { row, open }
    this.#rows.set(edge.id, drawn)
    return drawn
  }
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
