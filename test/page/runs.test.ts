import test from 'ava'
import { type RunOfPage, runPage } from '../../src/page/runs/run.ts'
import { runsPage } from '../../src/page/runs/runs.ts'

const header = {
  run_id: '42',
  status: 'SUCCEEDED',
  snapshot_date: '2026-03-06',
  collected_at: '2026-03-06T11:00:00+00:00',
  seconds: '75.25',
  is_imported: false,
  error_message: null as string | null,
}

const report = (run: Partial<RunOfPage['run']> = {}, rest: Partial<RunOfPage> = {}): RunOfPage => ({
  business_time_zone: 'America/New_York',
  run: {
    ...header,
    skip_schemas: [],
    exclude_tables: [],
    unmatched_entries: [],
    requested_by: 'collector',
    scheduled_for: null,
    is_online: false,
    left_out_count: '0',
    ...run,
  },
  totals: { tables: '1', rows: '9007199254740993' },
  previous_run_id: '41',
  previous_date: '2026-03-05',
  change: '3',
  tables: [
    {
      schema_name: 'public',
      table_name: 'orders',
      table_kind: 'table',
      is_partition: false,
      row_count: '9007199254740993',
      change: '3',
      change_percent: '0.00',
    },
  ],
  failures: [],
  alerts: [],
  ...rest,
})

const textOf = (document: string) =>
  document
    .replaceAll('<wbr>', '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ')

test('a run that succeeded has its totals, and the change since the one before', (t) => {
  const document = runPage(report())

  t.regex(textOf(document), /SUCCEEDED 2026-03-06 , started 06:00, took 1 min 15 s/)
  t.regex(
    textOf(document),
    /Rows 9,007,199,254,740,993 each counted once Change \+3 since run 41 of 2026-03-05/,
  )
  t.true(document.includes('href="/compare?before=41&amp;after=42"'))
  t.notRegex(document, /What failed/)
})

test('a run that failed says why, and what to do about each table; what it counted is no total', (t) => {
  const failure = {
    error_sqlstate: '42501',
    error_message: 'permission denied',
    remedy: 'let the owner select from it',
  }
  const document = runPage(
    report(
      { status: 'FAILED', error_message: '1 of 2 tables could not be counted.\n<b>no' },
      { failures: [{ schema_name: 'public', table_name: 'secret', ...failure }] },
    ),
  )

  t.regex(document, /<pre class="reason">1 of 2 tables could not be counted\.\n {2}&lt;b&gt;no<\/pre>/)
  t.regex(
    textOf(document),
    /42501 public \. secret permission denied\. What to do: let the owner select from it\./,
  )
  t.notRegex(textOf(document), /each counted once/)
})

test('what was asked for stands there as it was given, also where that is no list', (t) => {
  const text = textOf(
    runPage(
      report({
        skip_schemas: ['stage', 7],
        exclude_tables: { public: 'all' },
        unmatched_entries: [{ argument: 'skip', entry: 'stage\u202e' }],
        scheduled_for: '2026-03-06T10:55:00+00:00',
        is_online: true,
      }),
    ),
  )

  t.regex(
    text,
    /Scheduled for 2026-03-06 05:55 Counted online.* Skipped schemas stage 7 Excluded tables \{&quot;public&quot;:&quot;all&quot;\}/,
  )
  t.regex(text, /Matches nothing skip: stage\\u202e/)
})

test('runs are listed with their reasons, and lead to those before them', (t) => {
  const failed = {
    ...header,
    run_id: '41',
    status: 'FAILED',
    error_message: 'lost\nits way',
    totals: { tables: null, rows: null },
  }
  const done = { ...header, totals: { tables: '2', rows: '9007199254740993' } }
  const document = runsPage({ runs: [done, failed], next: '41' }, 'America/New_York', '43')

  t.regex(
    textOf(document),
    /42 SUCCEEDED 2026-03-06 06:00 1 min 15 s 2 9,007,199,254,740,993 41 FAILED .* lost its way/,
  )
  t.regex(document, /href="\/runs">Newest<\/a> <a class="button" rel="next" href="\/runs\?before=41">Older/)
  t.notRegex(runsPage({ runs: [done], next: null }, 'UTC', undefined), /Older|Newest</)
})
