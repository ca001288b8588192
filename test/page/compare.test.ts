import test from 'ava'
import { comparePage, type ShownComparison } from '../../src/page/compare.ts'

const table = (
  table_name: string,
  outcome: string,
  rows_before: string | null,
  rows_after: string | null,
) => ({
  schema_name: 'public',
  table_name,
  outcome,
  rows_before,
  rows_after,
  change: rows_before && rows_after && String(BigInt(rows_after) - BigInt(rows_before)),
  change_percent: null,
  is_partition: false,
})

const report: ShownComparison = {
  before: { run_id: '41', snapshot_date: '2026-03-05', status: 'SUCCEEDED' },
  after: { run_id: '42', snapshot_date: '2026-03-06', status: 'FAILED' },
  change: '-9007199254740993',
  outcomes: { shrank: '1', disappeared: '1', unchanged: '2' },
  filters: [],
  tables_in_all: '3',
  tables_chosen: '3',
  tables: [
    table('huge', 'shrank', '9007199254740994', '1'),
    table('gone', 'disappeared', '7', null),
    table('same', 'unchanged', '5', '5'),
    table('Same too', 'unchanged', '5', '5'),
  ],
}

const asked = { before: undefined, after: undefined, filter: '', outcome: undefined }
const namesIn = (document: string) =>
  [...document.matchAll(/<tr><th scope="row">.*?<\/span><bdi>(.*?)<\/bdi>/g)].map(([, name]) => name)

test('what differs stands there, in the order of the report, to the last digit', (t) => {
  const document = comparePage(report, asked)

  t.deepEqual(namesIn(document), ['huge', 'gone'])
  t.regex(document, /−9,007,199,254,740,993<\/span> rows in all/)
  t.true(document.includes('>9,007,199,254,740,994</td>'))
  t.regex(
    document,
    /run 41<\/a> of 2026-03-05 → <a href="\/runs\/42">run 42<\/a> of 2026-03-06 <span class="tag bad">FAILED/,
  )
})

test('an outcome and a part of a name narrow it down, whatever its case', (t) => {
  t.deepEqual(namesIn(comparePage(report, { ...asked, outcome: 'unchanged' })), ['same', 'Same too'])
  t.deepEqual(namesIn(comparePage(report, { ...asked, outcome: 'all', filter: 'SAME T' })), ['Same too'])
  t.regex(comparePage(report, { ...asked, filter: 'nowhere' }), /No table is like that/)
})

test('a link of an outcome keeps what was asked, and says which one is shown', (t) => {
  const document = comparePage(report, { before: '41', after: 'today', filter: 'a&b', outcome: 'shrank' })

  t.true(
    document.includes(
      'href="/compare?before=41&amp;after=today&amp;filter=a%26b&amp;outcome=shrank" aria-current="true">1 shrank',
    ),
  )
  t.true(document.includes('href="/compare?before=41&amp;after=today&amp;filter=a%26b">2 different'))
  t.regex(document, /name="outcome" value="shrank"/)
  t.regex(document, /name="filter" value="a&amp;b"/)
})
