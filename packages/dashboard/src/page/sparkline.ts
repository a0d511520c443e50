import { barHeights } from './bar-heights.ts'
import { h, s, setText } from './dom.ts'

const WIDTH = 150
const HEIGHT = 44
/** Points drawn as one bar. */
const BAR_POINTS = 5

export interface SparklineText {
  readonly title: string
  readonly format: (perSecond: number) => string
}

/** A small chart of the last minutes, and the same in words. */
export class Sparkline {
  readonly element: HTMLElement
  readonly #path: SVGPathElement = s('path')
  readonly #words: HTMLElement = h('span', { class: 'words' })
  readonly #text: SparklineText

  constructor(text: SparklineText, kind: string) {
    this.#text = text
    const drawing = s(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      s('path', { class: 'ground', d: `M0 ${HEIGHT - 0.5}H${WIDTH}` }),
      this.#path,
    )
    const caption = h('figcaption', {}, h('span', {}, text.title), this.#words)
    this.element = h('figure', { class: `spark ${kind}` }, caption, drawing)
  }

  show(points: readonly number[], stepMs: number): void {
    const bars = barHeights(points, BAR_POINTS)
    const width = WIDTH / Math.max(1, bars.length)
    const draw = (height: number, i: number): string => {
      if (height === 0) return ''
      const tall = Math.max(2, height * (HEIGHT - 4))
      return `M${(i * width).toFixed(1)} ${HEIGHT}v-${tall.toFixed(1)}h${(width * 0.72).toFixed(1)}v${tall.toFixed(1)}z`
    }
    this.#path.setAttribute('d', bars.map(draw).join(''))
    const seconds = stepMs / 1000
    const highest = Math.max(0, ...points) / seconds
    const total = points.reduce((sum, one) => sum + one, 0)
    setText(this.#words, total === 0 ? 'none' : `${this.#text.format(total)}\npeak ${this.#text.format(highest)}/s`)
  }
}
