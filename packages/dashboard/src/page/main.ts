import type { Greeting, Topology } from '../topology.types.ts'
import { Banners, timeOf } from './banners.ts'
import { MAX_DRAWN } from './choose-drawn.ts'
import { byId, h, setText } from './dom.ts'
import { GraphView, type Opened } from './graph-view.ts'
import { fillLegend } from './legend.ts'
import { ListView } from './list-view.ts'
import { Panel } from './panel.ts'
import { namespacesOf, type Selected, selectTopology } from './select.ts'

/** Narrower than this the list comes first. */
const NARROW = matchMedia('(max-width: 640px)')
const RETRY_MS = 3_000

let topology: Topology | undefined
/** Newer than what is shown, while paused. */
let held: Topology | undefined
let gone: string | undefined
let opened: Opened | undefined
let asList = NARROW.matches
let paused = false

const namespace = byId('namespace') as HTMLSelectElement
const text = byId('text') as HTMLInputElement
const pause = byId('pause')
const banners = new Banners()
const graph = new GraphView(open)
const list = new ListView(open)
const panel = new Panel(open, close)

fillLegend()
connect()
render()

namespace.addEventListener('change', render)
text.addEventListener('input', render)
byId('filter').addEventListener('submit', (event) => event.preventDefault())
byId('as-graph').addEventListener('click', () => show(false))
byId('as-list').addEventListener('click', () => show(true))
pause.addEventListener('click', () => {
  paused = !paused
  pause.setAttribute('aria-pressed', String(paused))
  setText(pause, paused ? 'Resume' : 'Pause')
  graph.pause(paused)
  if (!paused && held !== undefined) topology = held
  held = undefined
  render()
})
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && opened !== undefined) close()
})

function connect(): void {
  const events = new EventSource('events')
  events.addEventListener('greeting', (event) => greet(JSON.parse(String(event.data)) as Greeting))
  events.addEventListener('topology', (event) => {
    gone = undefined
    const news = JSON.parse(String(event.data)) as Topology
    if (paused) held = news
    else topology = news
    render()
  })
  events.addEventListener('error', () => {
    gone ??= 'ambit dashboard does not answer: it may have ended. What is shown is as of then; it is asked again.'
    render()
    // A refusal ends an EventSource for good, a broken connection does not.
    if (events.readyState !== EventSource.CLOSED) return
    void explainRefusal()
    setTimeout(connect, RETRY_MS)
  })
}

async function explainRefusal(): Promise<void> {
  const response = await fetch('edge').catch(() => undefined)
  if (response?.status === 403) gone = 'ambit dashboard was started anew: open the address it printed last.'
  else if (response !== undefined) gone = 'Too many pages of this dashboard are open: close one.'
  render()
}

function greet({ context, namespace: only, version }: Greeting): void {
  setText(byId('context'), only === undefined ? context : `${context}, namespace ${only}`)
  byId('context').title = `Ambit ${version}`
  document.title = `${context} – Ambit dashboard`
}

function open(next: Opened): void {
  if (topology === undefined) return
  opened = next
  panel.open(next, topology)
  render()
  if (!asList) graph.reveal(next)
}

function close(): void {
  const last = opened
  opened = undefined
  panel.close()
  render()
  if (last !== undefined) (asList ? list : graph).focus(last)
}

function show(list: boolean): void {
  asList = list
  render()
}

function render(): void {
  byId('as-graph').setAttribute('aria-pressed', String(!asList))
  byId('as-list').setAttribute('aria-pressed', String(asList))
  banners.show(topology, gone)
  showState()
  if (topology === undefined) return
  showNamespaces(topology)
  const selected = selectTopology(topology, { namespace: namespace.value, text: text.value })
  const isEmpty = selected.edges.length === 0
  byId('graph-view').hidden = isEmpty || asList
  byId('list-view').hidden = isEmpty || !asList
  byId('empty').hidden = !isEmpty
  if (isEmpty) showEmpty(topology)
  else if (asList) list.show(selected, opened, topology.at)
  else graph.show(selected, opened)
  showSummary(selected)
  panel.update(topology)
}

function showState(): void {
  const isLost = gone !== undefined || topology?.health.lost !== undefined
  const state = isLost ? 'lost' : paused ? 'paused' : topology === undefined ? 'waiting' : 'live'
  byId('state').className = state
  const at = topology === undefined ? '' : timeOf(topology.at)
  const lost = gone === undefined ? 'no answer of the cluster' : `disconnected${at === '' ? '' : `, as of ${at}`}`
  setText(byId('state'), { lost, paused: `paused at ${at}`, waiting: 'connecting', live: 'live' }[state])
}

function showNamespaces(from: Topology): void {
  const names = ['', ...namespacesOf(from)]
  if (namespace.value !== '' && !names.includes(namespace.value)) names.push(namespace.value)
  if (names.join() === [...namespace.options].map(({ value }) => value).join()) return
  const { value } = namespace
  namespace.replaceChildren(...names.map((name) => h('option', { value: name }, name === '' ? 'all' : name)))
  namespace.value = value
}

function showSummary({ edges }: Selected): void {
  const plain = edges.filter(({ security: { level } }) => level === 'plain' || level === 'mixed').length
  const denied = edges.reduce((sum, edge) => sum + edge.deniedLately, 0)
  const failed = edges.reduce((sum, edge) => sum + edge.failedLately, 0)
  const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`
  const parts = [
    count(edges.length, 'edge'),
    plain === 0 ? 'none in plain text' : `${plain} with plain text`,
    denied === 0 ? 'nothing denied' : `${denied} denied`,
    failed === 0 ? '' : `${failed} failed`,
  ]
  const words = `${parts.filter(Boolean).join(' · ')} in the last 5 minutes`
  const isPart = !asList && edges.length > MAX_DRAWN
  const part = isPart
    ? `. Drawn are ${MAX_DRAWN}, the refused and the busiest; the list has all, a filter the others.`
    : ''
  setText(byId('summary'), edges.length === 0 ? '' : `${words}${part}`)
}

function showEmpty(from: Topology): void {
  const isFiltered = from.edges.length > 0
  const { proxies, lost } = from.health
  const key = `${isFiltered} ${proxies} ${lost === undefined}`
  if (byId('empty').dataset['shown'] === key) return
  byId('empty').dataset['shown'] = key
  const clear = (): void => {
    namespace.value = ''
    text.value = ''
    render()
    text.focus()
  }
  if (isFiltered) {
    byId('empty').replaceChildren(
      h('h2', {}, 'Nothing fits the filter'),
      h('button', { type: 'button', class: 'primary', onclick: clear }, 'Show all'),
    )
    return
  }
  const reading = proxies === 1 ? 'One proxy is read' : `${proxies} proxies are read`
  const body =
    proxies === 0
      ? [h('p', {}, lost === undefined ? 'No proxy is read yet.' : 'The cluster does not answer.')]
      : [
          h('p', {}, `${reading}. What pods of the mesh send and receive appears here at once. A namespace joins by:`),
          h('code', {}, 'kubectl label namespace NAME istio.io/dataplane-mode=ambient'),
        ]
  byId('empty').replaceChildren(h('h2', {}, 'No traffic yet'), ...body)
}
