// Reads a chart out, day by day: under the pointer, or with the arrow keys. What it says stands in the table of numbers.

const day = 86_400_000
const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7, Home: -Infinity, End: Infinity }
const hint = 'Point at a day, or move with the arrow keys.'

for (const figure of document.querySelectorAll('.trend')) readOut(figure)

function readOut(figure) {
  const plot = figure.querySelector('.trend-plot')
  const cursor = figure.querySelector('.trend-cursor')
  const dot = cursor.querySelector('circle')
  const words = figure.querySelector('.trend-readout')
  const heights = figure.dataset.heights.split(',')
  const first = Date.parse(figure.dataset.first)
  const last = heights.length - 1
  let place = last

  plot.tabIndex = 0
  plot.setAttribute('role', 'group')
  plot.setAttribute('aria-label', 'Chart, read day by day with the arrow keys')
  words.textContent = hint

  function show(wanted) {
    place = Math.max(0, Math.min(last, wanted))
    const date = new Date(first + place * day).toISOString().slice(0, 10)
    const height = heights[place]
    cursor.setAttribute('x', `${(100 * (place + 0.5)) / heights.length}%`)
    cursor.setAttribute('visibility', 'visible')
    dot.setAttribute('visibility', height === '' ? 'hidden' : 'inherit')
    if (height !== '') dot.setAttribute('cy', height)
    words.textContent = `${date}: ${describe(date)}`
    words.classList.add('is-read')
  }

  function hide() {
    cursor.setAttribute('visibility', 'hidden')
    words.textContent = hint
    words.classList.remove('is-read')
  }

  function pointAt({ clientX }) {
    const { left, width } = plot.querySelector('svg').getBoundingClientRect()
    show(Math.floor(((clientX - left) / width) * heights.length))
  }

  plot.addEventListener('pointermove', pointAt)
  plot.addEventListener('pointerdown', pointAt)
  plot.addEventListener('pointerleave', () => plot.matches(':focus-visible') || hide())
  plot.addEventListener('focus', () => plot.matches(':focus-visible') && show(place))
  plot.addEventListener('blur', hide)
  plot.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') return hide()
    const step = steps[event.key]
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    show(place + step)
  })
}

/** A day's cells, each with its heading where it is not the first. */
function describe(date) {
  const row = document.querySelector(`tr[data-date="${date}"]`)
  if (!row) return 'no result'
  const headings = row.closest('table').tHead.rows[0].cells
  const said = [...row.cells].slice(1, 5).map((cell, n) => {
    const text = cell.textContent.trim()
    const heading = headings[n + 1].textContent.trim().toLowerCase()
    return (
      text &&
      (heading === 'rows' ? `${text} rows` : heading === 'per cent' ? `(${text})` : `${heading} ${text}`)
    )
  })
  return said.filter(Boolean).join(' · ').replace(' · (', ' (').replace('left out rows', 'left out')
}
