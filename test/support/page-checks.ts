// Expressions for `page.evaluate`: they run in the browser, where the types of this project end.

export const HEADING_LEVELS = `[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((heading) => Number(heading.tagName[1]))`

/** Pixels by which the page is wider than its window. */
export const OVERFLOW = `Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)`

/** Images without text, inputs without label, links and buttons without name, a page without language. */
export const UNNAMED = `[
  ...[...document.images].filter((image) => !image.alt),
  ...[...document.querySelectorAll('[role=img]')].filter((image) => !image.getAttribute('aria-label')),
  ...[...document.querySelectorAll('input')].filter((input) => input.labels.length === 0),
  ...[...document.querySelectorAll('a,button,summary')].filter((element) => element.textContent.trim() === ''),
  ...(document.documentElement.lang ? [] : [document.documentElement]),
].map((element) => element.outerHTML.slice(0, 80))`

/** Texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3). */
export const BAD_CONTRAST = `(() => {
  const numbers = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number)
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4)
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
  const groundOf = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(one).backgroundColor)
      if (alpha === 1) return [r, g, b]
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255]
  }
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const bad = []
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim()
    const element = walker.currentNode.parentElement
    if (text === '' || element.getClientRects().length === 0) continue
    const [a, b] = [luminance(numbers(getComputedStyle(element).color)), luminance(groundOf(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) bad.push(text.slice(0, 40) + ' ' + ratio.toFixed(2))
  }
  return bad
})()`
