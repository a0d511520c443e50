import { type Answer, isRecord } from './service-calls.ts'

export interface ProductView {
  readonly product: { readonly title: string; readonly descriptionHtml: string }
  readonly user: string | undefined
  readonly details: Answer
  readonly reviews: Answer
}

const TITLE = 'Simple Bookstore App'
const MAX_STARS = 5

/** Names people read, for the fields of the details service; others are shown as they are called. */
const FIELDS: Readonly<Record<string, string>> = {
  author: 'Author',
  year: 'Year',
  type: 'Type',
  pages: 'Pages',
  publisher: 'Publisher',
  language: 'Language',
}

export function escapeHtml(value: unknown): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return String(value).replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign)
}

export function productHtml({ product, user, details, reviews }: ProductView): string {
  return document(
    user,
    `<article class="book">
<img class="cover" src="/static/cover.svg" width="180" height="260" alt="Cover of ${escapeHtml(product.title)}: four faces, two by two the same">
<div>
<h1>${escapeHtml(product.title)}</h1>
<p class="summary">${product.descriptionHtml}</p>
</div>
</article>
<div class="columns">
<section aria-labelledby="details">
${details.body === undefined || 'error' in details.body ? failure('details', details) : detailsHtml(details.body)}
</section>
<section aria-labelledby="reviews">
${reviews.body === undefined || 'error' in reviews.body ? failure('reviews', reviews) : reviewsHtml(reviews.body)}
</section>
</div>`,
  )
}

export function indexHtml(user: string | undefined): string {
  return document(
    user,
    `<h1>A small bookstore</h1>
<p>One page made by four services: the product page asks <b>details</b> and <b>reviews</b>, and reviews asks <b>ratings</b>.</p>
<p><a class="button" href="/productpage">Show the book</a></p>`,
  )
}

function failure(part: 'details' | 'reviews', { body, status }: Answer): string {
  const message = typeof body?.['error'] === 'string' ? body['error'] : `answered with status ${status}`
  return `<h2 id="${part}">Error fetching product ${part}!</h2>
<p class="problem" role="status">${escapeHtml(message)}</p>`
}

function detailsHtml(body: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(body)
    .filter(([name]) => name !== 'id')
    .map(([name, value]) => `<div><dt>${escapeHtml(FIELDS[name] ?? name)}</dt><dd>${escapeHtml(value)}</dd></div>`)
  return `<h2 id="details">Book details</h2>\n<dl>\n${rows.join('\n')}\n</dl>`
}

function reviewsHtml(body: Readonly<Record<string, unknown>>): string {
  const list = Array.isArray(body['reviews']) ? (body['reviews'] as unknown[]).filter(isRecord) : []
  const cluster = typeof body['clustername'] === 'string' && body['clustername'] !== 'null' ? body['clustername'] : ''
  const where = cluster === '' ? '' : ` on cluster <code>${escapeHtml(cluster)}</code>`
  return `<h2 id="reviews">Book reviews</h2>
${list.map(reviewHtml).join('\n')}
<p class="served">Reviews served by: <code>${escapeHtml(body['podname'] ?? '')}</code>${where}</p>`
}

function reviewHtml(review: Readonly<Record<string, unknown>>): string {
  const rating = isRecord(review['rating']) ? ratingHtml(review['rating']) : ''
  return `<figure>
<blockquote><p>${escapeHtml(review['text'] ?? '')}</p></blockquote>
<figcaption>${escapeHtml(review['reviewer'] ?? '')}</figcaption>${rating}
</figure>`
}

function ratingHtml(rating: Readonly<Record<string, unknown>>): string {
  const { color, error, stars } = rating
  if (typeof stars !== 'number') return `\n<p class="problem" role="status">${escapeHtml(error ?? 'No rating')}</p>`
  const full = Math.max(0, Math.min(MAX_STARS, Math.round(stars)))
  const name = color === 'red' ? 'red' : 'black'
  return `\n<p class="stars ${name}" role="img" aria-label="${full} of ${MAX_STARS} stars, ${name}">${'★'.repeat(full)}${'☆'.repeat(MAX_STARS - full)}</p>`
}

function document(user: string | undefined, main: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${TITLE}</title>
<link rel="icon" href="/static/cover.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/bookstore.css">
</head>
<body>
<header>
<a class="home" href="/productpage">BookInfo Sample</a>
${user === undefined ? SIGN_IN : `<p class="user"><span>Signed in as <b>${escapeHtml(user)}</b></span> <a class="button" href="/logout">Sign out</a></p>`}
</header>
<main>
${main}
</main>
</body>
</html>
`
}

const SIGN_IN = `<details class="sign-in">
<summary>Sign in</summary>
<form method="post" action="/login">
<label for="username">User name</label>
<input id="username" name="username" required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false">
<button type="submit">Sign in</button>
</form>
</details>`
