import test from 'ava'
import { slackBody } from '../../src/deliver/slack.ts'
import { visible } from '../../src/terminal/visible.ts'

const group = (table: string, detail = 'empty, usually it has about 310 rows') => ({
  kind: 'dropped_to_zero',
  schema_name: 'sales',
  table_name: table,
  alerts: 1,
  tables: [`sales.${table}`],
  detail,
})
const body = ({
  timestamp = new Date().toISOString(),
  opened = [] as object[],
  closed = [] as object[],
  run = {},
}) =>
  JSON.stringify({
    type: 'run.succeeded',
    timestamp,
    data: {
      database: 'shop',
      run: {
        run_id: 41,
        snapshot_date: '2026-11-20',
        status: 'SUCCEEDED',
        error_message: null,
        is_after_failure: false,
        ...run,
      },
      opened,
      closed,
      open_alerts: 1,
    },
  })
const textOf = (message: string): string => JSON.parse(slackBody(message)).text

test('what has opened and closed is told line by line, under a title', (t) => {
  t.is(
    textOf(
      body({
        opened: [group('orders')],
        closed: [group('lines')],
        run: { tables: 12, rows: '9007199254740993' },
      }),
    ),
    [
      '*shop: run 41 of 2026-11-20: 1 alert opened, 1 alert closed*',
      '12 tables, 9,007,199,254,740,993 rows',
      'opened: dropped_to_zero sales.orders: empty, usually it has about 310 rows',
      'closed: dropped_to_zero sales.lines: empty, usually it has about 310 rows',
    ].join('\n'),
  )
})

test('many tables of a schema are one line', (t) => {
  const many = {
    ...group(''),
    table_name: null,
    kind: 'table_new',
    alerts: 300,
    tables: ['sales.a'],
    detail: '300 tables, such as sales.a',
  }

  t.regex(
    textOf(body({ opened: [many] })),
    /: 300 alerts opened\*\nopened: table_new in sales: 300 tables, such as sales\.a$/,
  )
})

test('no name pings anybody, links anywhere or begins a line', (t) => {
  const hostile = [
    '<!channel>',
    '<@U123>',
    '<https://example.com|click>',
    '&lt;!here&gt;',
    'a\n*closed*: b',
    'c\u202ed\u001b[1m',
  ]

  const text = textOf(
    body({
      opened: hostile.map((name) => group(name, `${name} is gone`)),
      run: { error_message: '<!everyone>' },
    }),
  )

  t.notRegex(text, /[<>]/)
  t.true(text.includes('sales.&lt;!channel&gt;: &lt;!channel&gt; is gone'))
  t.true(text.includes('&amp;lt;!here&amp;gt;'))
  t.is(text.split('\n').length, 2 + hostile.length)
  t.is(text, text.split('\n').map(visible).join('\n'))
})

test('no text of others becomes a link by itself', (t) => {
  const lure = 'http://evil.example/ please log in, or HTTPS://evil.example'
  const message = body({
    opened: [group(lure, lure)],
    run: { error_message: `skip {"${lure}": 1}: a schema` },
  })

  const sent = JSON.parse(slackBody(message))

  t.notRegex(sent.text, /:\/\//)
  t.true(
    sent.text.includes('skip {"http:\u2009//evil.example/ please log in, or HTTPS:\u2009//evil.example": 1}'),
  )
  t.is(sent.parse, 'none')
})

test('a message that comes late says of when it is', (t) => {
  const lastLine = (timestamp: string) =>
    textOf(body({ timestamp, opened: [group('orders')] }))
      .split('\n')
      .at(-1)

  t.is(lastLine('2026-11-20T10:17:12.345+00:00'), 'This is of 2026-11-20 10:17 UTC.')
  t.regex(lastLine(new Date().toISOString()) ?? '', /^opened: /)
})

test('a message of thousands of long names stays one that Slack takes', (t) => {
  const opened = Array.from({ length: 1000 }, (_, n) => group(`${'&'.repeat(63)}${n}`))

  t.true(textOf(body({ opened })).length < 10_000)
})
