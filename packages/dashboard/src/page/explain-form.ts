import type { AskedRequest, Explanation, Question } from '@ambit/explain'
import type { Denial } from '../topology.types.ts'
import { h } from './dom.ts'
import { explanationView } from './explanation-view.ts'
import { readHeaders } from './read-headers.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/** Asks why, about one edge; the request can be edited and asked about again. */
export class ExplainForm {
  readonly element: HTMLElement
  readonly #question: Question
  readonly #request: HTMLInputElement
  readonly #method: HTMLInputElement
  readonly #path: HTMLInputElement
  readonly #host: HTMLInputElement
  readonly #headers: HTMLTextAreaElement
  readonly #answer: HTMLElement
  #asked = 0

  constructor(question: Question) {
    this.#question = question
    const { request } = question
    this.#request = h('input', { type: 'checkbox', checked: request !== undefined, onchange: () => this.#showFields() })
    this.#method = h('input', { value: request?.method ?? 'GET', list: 'methods', size: 7, ...PLAIN })
    this.#path = h('input', { value: request?.path ?? '/', ...PLAIN })
    this.#host = h('input', { value: request?.host ?? '', placeholder: 'the name it dials', ...PLAIN })
    this.#headers = h('textarea', { rows: 2, placeholder: 'name: value', ...PLAIN })
    this.#headers.value = (request?.headers ?? []).map(([name, value]) => `${name}: ${value}`).join('\n')
    this.#answer = h('div', { 'aria-live': 'polite' })
    const submit = (event: Event): void => {
      event.preventDefault()
      void this.ask()
    }
    this.element = h(
      'section',
      { class: 'explain' },
      h('h3', {}, 'Why'),
      h(
        'form',
        { onsubmit: submit, 'aria-label': 'Request to explain' },
        h('label', { class: 'check' }, this.#request, 'as a request of HTTP'),
        h(
          'div',
          { class: 'fields' },
          h('label', {}, 'Method', this.#method),
          h('label', {}, 'Path', this.#path),
          h('button', { type: 'submit', class: 'primary' }, 'Explain'),
        ),
        h(
          'details',
          { class: 'more', open: (request?.headers?.length ?? 0) > 0 },
          h('summary', {}, 'Host and headers'),
          h('label', {}, 'Host', this.#host),
          h('label', {}, 'Headers', this.#headers),
        ),
        h('datalist', { id: 'methods' }, ...METHODS.map((value) => h('option', { value }))),
      ),
      this.#answer,
    )
    this.#showFields()
  }

  /** Puts a denied request into the form and asks. */
  async askAbout(denial: Denial): Promise<void> {
    this.#request.checked = denial.request !== undefined
    if (denial.request !== undefined) {
      this.#method.value = denial.request.method
      this.#path.value = denial.request.path
      this.#host.value = denial.request.host
    }
    this.#showFields()
    this.element.scrollIntoView({ block: 'start' })
    await this.ask()
  }

  async ask(): Promise<void> {
    const number = ++this.#asked
    this.#answer.setAttribute('aria-busy', 'true')
    const shown = await answerTo(this.#read()).catch((error: unknown) => h('p', { class: 'problem' }, String(error)))
    if (number !== this.#asked) return
    this.#answer.removeAttribute('aria-busy')
    this.#answer.replaceChildren(shown)
  }

  #showFields(): void {
    for (const field of [this.#method, this.#path, this.#host, this.#headers]) field.disabled = !this.#request.checked
    this.element.classList.toggle('as-connection', !this.#request.checked)
  }

  #read(): Question {
    const { from, to, sni, sourceIp } = this.#question
    const host = this.#host.value.trim()
    const headers = readHeaders(this.#headers.value)
    const request: AskedRequest | undefined = this.#request.checked
      ? {
          method: this.#method.value.trim(),
          path: this.#path.value.trim(),
          ...(host === '' ? {} : { host }),
          ...(headers.length === 0 ? {} : { headers }),
          ...(this.#question.request?.claims === undefined ? {} : { claims: this.#question.request.claims }),
        }
      : undefined
    return { from, to, request, sni, sourceIp }
  }
}

const PLAIN = { autocomplete: 'off', spellcheck: 'false' } as const

async function answerTo(question: Question): Promise<HTMLElement> {
  const response = await fetch(`explain?question=${encodeURIComponent(JSON.stringify(question))}`).catch(
    () => undefined,
  )
  if (response === undefined)
    return h('p', { class: 'problem' }, 'ambit dashboard does not answer: is it still running?')
  if (response.status === 431) return h('p', { class: 'problem' }, 'The request is too long to be asked about.')
  const answer: unknown = await response.json()
  if (response.ok) return explanationView(answer as Explanation)
  return h('p', { class: 'problem' }, String((answer as { readonly error?: unknown }).error))
}
