import test from 'ava'
import stringWidth from 'string-width'
import { layOut } from '../../src/terminal/table.ts'

const columns = [
  { title: 'table', cut: 'middle' as const },
  { title: 'rows', right: true },
]

test('numbers are aligned at their right edge and names at their left', (t) => {
  t.is(
    layOut(
      columns,
      [
        ['public.orders', '1,234,567'],
        ['shop.items', '5'],
      ],
      80,
    ),
    [
      'table               rows',
      '─────────────  ─────────',
      'public.orders  1,234,567',
      'shop.items             5',
    ].join('\n'),
  )
})

test('a name that is too long loses its middle, a number nothing', (t) => {
  const rows = [['warehouse.stock_movements_of_the_year_2026', '9,223,372,036,854,775,807']]

  for (const width of [45, 50, 60]) {
    const lines = layOut(columns, rows, width).split('\n')

    t.true(
      lines.every((line) => stringWidth(line) <= width),
      lines.join('\n'),
    )
    t.regex(lines[2] ?? '', /^warehou.*….*2026 {2}9,223,372,036,854,775,807$/)
  }
  t.regex(layOut(columns, rows, 20), /9,223,372,036,854,775,807$/m)
})

test('a text of many words goes on in the lines below before a name gives way', (t) => {
  const three = [...columns, { title: 'detail', wrap: true as const }]
  const rows = [['public.orders_of_last_year', '5', '1,234,567 of the rows of yesterday are gone']]

  const [, , ...lines] = layOut(three, rows, 60).split('\n')

  t.deepEqual(lines, [
    'public.orders_of_last_year     5  1,234,567 of the rows of',
    '                                  yesterday are gone',
  ])
})

test('a column that matters less is left out before a name becomes unreadable', (t) => {
  const four = [...columns, { title: 'before', right: true, drop: 2 }, { title: '%', right: true, drop: 1 }]
  const rows = [['public.orders_of_last_year', '1,234,567', '1,234,567', '+10.0 %']]
  const titles = (width: number) => layOut(four, rows, width).split('\n')[0]?.split(/ +/)

  t.deepEqual(titles(60), ['table', 'rows', 'before', '%'])
  t.deepEqual(titles(50), ['table', 'rows', 'before'])
  t.deepEqual(titles(40), ['table', 'rows'])
})

test('characters that take two columns are counted as two', (t) => {
  const rows = [
    ['公開.注文', '1'],
    ['public.orders', '2'],
  ]

  const lines = layOut(columns, rows, 80).split('\n')

  t.is(new Set(lines.map((line) => stringWidth(line))).size, 1, lines.join('\n'))
  const narrow = layOut(
    [{ title: 'table', cut: 'middle' }],
    [['公開公開公開公開公開公開公開.注文注文注文']],
    15,
  ).split('\n')
  t.true(
    narrow.every((line) => stringWidth(line) <= 15),
    narrow.join('\n'),
  )
})

test('a name cannot move the cursor or break the line', (t) => {
  const text = layOut(columns, [['public.\u001b[2Jevil\n\u202e', '1']], 80)

  t.is(text.split('\n').length, 3)
  t.true(text.includes('public.\\u001b[2Jevil\\u000a\\u202e'), text)
})
