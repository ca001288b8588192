// Reads a chart out, day by day: under the pointer, or with the arrow keys. What it says stands in the table of numbers.

const day = 86_400_000
const hint = 'Point at a day, or move with the arrow keys.'

/** How many days a key goes. @type {Record<string, number>} */
const steps = {
  ArrowLeft: -1,
  ArrowRight: 1,
  PageUp: -7,
  PageDown: 7,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
}

for (const figure of document.querySelectorAll('.trend-figure')) {
  readOut(/** @type {HTMLElement} */ (figure))
}

/** @param {HTMLElement} figure */
function readOut(figure) {
  const plot = /** @type {HTMLElement} */ (figure.querySelector('.trend-plot'))
  const area = /** @type {SVGElement} */ (plot.querySelector('svg'))
  const cursor = /** @type {SVGElement} */ (figure.querySelector('.trend-cursor'))
  const dot = /** @type {SVGElement} */ (cursor.querySelector('circle'))
  const words = /** @type {HTMLElement} */ (figure.querySelector('.trend-readout'))
  const heights = (figure.dataset.heights ?? '').split(',')
  const first = Date.parse(figure.dataset.first ?? '')
  const last = heights.length - 1
  let place = last

  plot.tabIndex = 0
  plot.setAttribute('role', 'group')
  plot.setAttribute('aria-label', 'Chart, read day by day with the arrow keys')
  words.textContent = hint

  /** @param {number} wanted */
  function show(wanted) {
    place = Math.max(0, Math.min(last, wanted))
    const height = heights[place] ?? ''
    cursor.setAttribute('x', `${(100 * (place + 0.5)) / heights.length}%`)
    cursor.setAttribute('visibility', 'visible')
    dot.setAttribute('visibility', height === '' ? 'hidden' : 'inherit')
    if (height !== '') dot.setAttribute('cy', height)
    const date = new Date(first + place * day).toISOString().slice(0, 10)
    words.textContent = `${date}: ${describe(date)}`
    words.classList.add('is-read')
  }

  function hide() {
    cursor.setAttribute('visibility', 'hidden')
    words.textContent = hint
    words.classList.remove('is-read')
  }

  /** @param {PointerEvent} event */
  function pointAt({ clientX }) {
    const { left, width } = area.getBoundingClientRect()
    show(Math.floor(((clientX - left) / width) * heights.length))
  }

  plot.addEventListener('pointermove', pointAt)
  plot.addEventListener('pointerdown', pointAt)
  plot.addEventListener('pointerleave', () => plot.matches(':focus-visible') || hide())
  plot.addEventListener('focus', () => plot.matches(':focus-visible') && show(place))
  plot.addEventListener('blur', hide)
  plot.addEventListener('keydown', (event) => {
    const { key, ctrlKey, metaKey, altKey } = event
    if (key === 'Escape') return hide()
    const step = steps[key]
    if (step === undefined || ctrlKey || metaKey || altKey) return
    event.preventDefault()
    show(place + step)
  })
}

/**
 * What the numbers say of a day: its cells, each with its heading.
 *
 * @param {string} date
 */
function describe(date) {
  const row = /** @type {HTMLTableRowElement | null} */ (document.querySelector(`tr[data-date="${date}"]`))
  if (!row) return 'no result'
  const headings = [...(row.closest('table')?.tHead?.rows[0]?.cells ?? [])].map(text)
  return [...row.cells]
    .map((cell, n) => [headings[n]?.toLowerCase(), text(cell)])
    .filter(([heading, said]) => said !== '' && heading !== 'day' && heading !== 'run')
    .map(([heading, said]) => {
      if (heading === 'rows') return said === 'left out' ? said : `${said} rows`
      return heading === 'per cent' ? said : `${heading} ${said}`
    })
    .join(', ')
}

/** @param {Element} element */
function text(element) {
  return (element.textContent ?? '').trim()
}
