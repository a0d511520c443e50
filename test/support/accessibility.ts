import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'

const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'))
/** Levels A and AA of WCAG 2.0 to 2.2. */
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

/** Brings the checker into every page of the context, past what the page allows itself. */
export async function bringAxe(context: BrowserContext): Promise<void> {
  await context.addInitScript({ path: AXE })
}

/** What of a page breaks WCAG's levels A and AA, one line each. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  return await page.evaluate<readonly string[]>(`(async () => {
    const { violations } = await axe.run(document, { runOnly: ${JSON.stringify(RULES)} })
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + ' ' + target + ': ' + failureSummary))
  })()`)
}
