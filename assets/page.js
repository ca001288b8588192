// What the table of tables can do more where scripts run. Without them the same links and form ask the server.

const table = /** @type {HTMLTableElement | null} */ (document.querySelector('table[data-whole]'))
const form = /** @type {HTMLFormElement | null} */ (document.querySelector('#filter'))
if (table && form) arrange(table, form)

/**
 * @param {HTMLTableElement} table
 * @param {HTMLFormElement} form
 */
function arrange(table, form) {
  const body = /** @type {HTMLTableSectionElement} */ (table.tBodies[0])
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('filter'))
  const found = /** @type {HTMLElement} */ (document.querySelector('#found'))
  const heads = [...table.querySelectorAll('thead th')]
  const rows = [...body.rows].map((row) => ({ row, name: row.querySelector('a.name')?.textContent ?? '' }))

  field.addEventListener('input', filter)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    filter()
  })
  for (const head of heads) {
    const link = head.querySelector('a')
    link?.addEventListener('click', (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      const asked = new URL(link.href).searchParams
      sort(head, asked.get('dir') === 'asc')
      remember({ sort: asked.get('sort') ?? '', dir: asked.get('dir') ?? '' })
    })
  }

  function filter() {
    const sought = field.value.toLowerCase()
    let shown = 0
    for (const { row, name } of rows) {
      row.hidden = !name.toLowerCase().includes(sought)
      if (!row.hidden) shown++
    }
    const all = `${rows.length.toLocaleString('en')} ${rows.length === 1 ? 'table' : 'tables'}`
    found.textContent = shown === rows.length ? all : `${shown.toLocaleString('en')} of ${all}`
    remember({ filter: field.value })
  }

  /**
   * As src/page/today/view.ts does it.
   *
   * @param {Element} head
   * @param {boolean} ascends
   */
  function sort(head, ascends) {
    const column = heads.indexOf(head)
    const keyed = rows.map(({ row, name }) => ({
      row,
      name,
      key: column === 0 ? name : numberIn(row, column),
    }))
    keyed.sort((one, other) => {
      if (one.key === null || other.key === null) {
        return Number(one.key === null) - Number(other.key === null) || compare(one.name, other.name)
      }
      return (ascends ? 1 : -1) * compare(one.key, other.key) || compare(one.name, other.name)
    })
    body.append(...keyed.map(({ row }) => row))
    for (const each of heads) each.removeAttribute('aria-sort')
    head.setAttribute('aria-sort', ascends ? 'ascending' : 'descending')
  }

  /**
   * What is chosen stands in the address, and in the links that sort.
   *
   * @param {Record<string, string>} chosen
   */
  function remember(chosen) {
    const here = new URL(location.href)
    for (const [name, value] of Object.entries(chosen)) {
      if (value === '') here.searchParams.delete(name)
      else here.searchParams.set(name, value)
    }
    history.replaceState(null, '', here)
    for (const head of heads) {
      const link = head.querySelector('a')
      if (!link) continue
      const key = head.getAttribute('data-key') ?? ''
      const first = key === 'name' ? 'asc' : 'desc'
      const isSortedSo = head.getAttribute('aria-sort')?.startsWith(first)
      here.searchParams.set('sort', key)
      here.searchParams.set('dir', isSortedSo ? opposite[first] : first)
      link.href = here.href
    }
  }
}

const opposite = { asc: 'desc', desc: 'asc' }

/**
 * Whole numbers are exact, however large.
 *
 * @param {HTMLTableRowElement} row
 * @param {number} column
 */
function numberIn(row, column) {
  const cell = row.cells[column]
  const text = (cell?.getAttribute('data-key') ?? cell?.textContent ?? '')
    .replaceAll(',', '')
    .replace('−', '-')
  if (/^[-+]?\d+$/.test(text)) return BigInt(text)
  return /^[-+]?\d+\.\d+$/.test(text) ? Number(text) : null
}

/**
 * @param {string | bigint | number} one
 * @param {string | bigint | number} other
 */
function compare(one, other) {
  if (one < other) return -1
  return one > other ? 1 : 0
}
