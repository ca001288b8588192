import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import test from 'ava'
import { migrationsFolder } from '../src/install/migrations.ts'
import { collect, createDatabase } from './_support/database.ts'

const fixtures = `${migrationsFolder}/fixtures/functions`

// Dashboards query these four: a column may be added, none may change.
const publicTables = {
  table_metrics_runs: `
    run_id bigint not null
    collected_at timestamp with time zone not null
    snapshot_date date not null
    status text not null
    error_message text
    skip_schemas jsonb not null
    exclude_tables jsonb not null
    finished_at timestamp with time zone
    requested_by text not null
    scheduled_for timestamp with time zone
    target_count bigint
    unmatched_entries jsonb not null
    is_online boolean not null
    is_imported boolean not null
    machinery_schemas text[] not null
    left_out_count bigint
  `,
  table_metrics_measurements: `
    run_id bigint not null
    schema_name text not null
    table_name text not null
    row_count bigint
    own_row_count bigint
    carried_from_run bigint
    row_count_low bigint
    row_count_high bigint
    own_total_bytes bigint
    method text not null
    measured_at timestamp with time zone not null
    table_kind text not null
    is_partition boolean not null
    table_oid oid not null
    error_sqlstate text
    error_message text
    total_bytes bigint
    table_bytes bigint
    index_bytes bigint
    dead_rows bigint
    frozen_age bigint
    last_vacuum timestamp with time zone
    last_analyze timestamp with time zone
  `,
  table_metrics_run_snapshot: `
    run_id bigint not null
    payload jsonb not null
    collected_at timestamp with time zone not null
  `,
  table_metrics_daily_snapshot: `
    snapshot_date date not null
    run_id bigint not null
    payload jsonb not null
    collected_at timestamp with time zone not null
    is_imported boolean not null
  `,
}

for (const [table, expected] of Object.entries(publicTables)) {
  test(`nms.${table} has exactly its documented columns`, async (t) => {
    const { sql } = await createDatabase(t)
    t.deepEqual(
      await list(
        sql`
          select concat_ws(' ', attname, format_type(atttypid, atttypmod), case when attnotnull then 'not null' end)
          from pg_attribute
          where attrelid = ${`nms.${table}`}::regclass and attnum > 0 and not attisdropped
          order by attnum
        `,
      ),
      lines(expected),
    )
  })
}

test('the primary keys are the documented ones', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid))
      from pg_constraint
      where connamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and contype = 'p'
      order by 1
    `),
    [
      'nms.table_metrics_alert_log: PRIMARY KEY (alert_id)',
      'nms.table_metrics_alert_rules: PRIMARY KEY (schema_name, table_name, kind)',
      'nms.table_metrics_comparisons: PRIMARY KEY (run_id, method, is_shadow)',
      'nms.table_metrics_count_rules: PRIMARY KEY (schema_name, table_name)',
      'nms.table_metrics_daily_snapshot: PRIMARY KEY (snapshot_date)',
      'nms.table_metrics_differences: PRIMARY KEY (difference_id)',
      'nms.table_metrics_filtered_counts: PRIMARY KEY (run_id, schema_name, table_name, filter_name)',
      'nms.table_metrics_filters: PRIMARY KEY (schema_name, table_name, filter_name)',
      'nms.table_metrics_measurements: PRIMARY KEY (run_id, schema_name, table_name)',
      'nms.table_metrics_run_snapshot: PRIMARY KEY (run_id)',
      'nms.table_metrics_runs: PRIMARY KEY (run_id)',
      'nms.table_metrics_settings: PRIMARY KEY (singleton)',
      'nms_private.bases: PRIMARY KEY (table_oid)',
      'nms_private.carrying_runs: PRIMARY KEY (run_id)',
      'nms_private.count_deltas: PRIMARY KEY (table_oid, xid, "position")',
      'nms_private.count_sums: PRIMARY KEY (table_oid, generation, sum_id)',
      'nms_private.events: PRIMARY KEY (source, event_id)',
      'nms_private.foreign_counts: PRIMARY KEY (table_oid, run_id)',
      'nms_private.key_positions: PRIMARY KEY (sequence_schema, sequence_name, run_id)',
      'nms_private.maintained_counts: PRIMARY KEY (table_oid)',
      'nms_private.messages: PRIMARY KEY (about)',
      'nms_private.readings: PRIMARY KEY (reading_id)',
      'nms_private.targets: PRIMARY KEY (run_id, "position")',
      'nms_private.trigger_changes: PRIMARY KEY (change_id)',
    ],
  )
})

test('the settings are one row with the documented defaults', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    [...(await sql`select to_jsonb(settings) as settings from nms.table_metrics_settings as settings`)],
    [
      {
        settings: {
          singleton: true,
          business_time_zone: 'America/New_York',
          machinery_schemas: ['nms', 'nms_private', 'graphile_worker', 'graphile_migrate'],
          lock_timeout: '00:00:05',
          abandon_after: '00:05:00',
          keep_at_least: '30 days',
          payload_version: 1,
          measure_storage: false,
          yield_after: '00:00:02',
        },
      },
    ],
  )
})

test('the history of one table is read from an index alone', async (t) => {
  const { sql } = await createDatabase(t)
  const definitions = await list(sql`
    select pg_get_indexdef(indexrelid)
    from pg_index where indrelid = 'nms.table_metrics_measurements'::regclass
  `)
  t.true(
    definitions.some((definition) =>
      definition.endsWith('USING btree (schema_name, table_name, run_id) INCLUDE (row_count)'),
    ),
    definitions.join('\n'),
  )
})

test('every constraint is validated and every index valid', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select conname from pg_constraint where connamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and not convalidated
      union all
      select indexrelid::regclass::text
      from pg_index join pg_class on pg_class.oid = indexrelid
      where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and not (indisvalid and indisready)
    `),
    [],
  )
})

test('the snapshots of a run and its queue go with it', async (t) => {
  const { sql } = await createDatabase(t)
  const keys = `
    nms.table_metrics_daily_snapshot: FOREIGN KEY (run_id) REFERENCES nms.table_metrics_runs(run_id) ON DELETE CASCADE
    nms.table_metrics_run_snapshot: FOREIGN KEY (run_id) REFERENCES nms.table_metrics_runs(run_id) ON DELETE CASCADE
    nms_private.carrying_runs: FOREIGN KEY (run_id) REFERENCES nms.table_metrics_runs(run_id) ON DELETE CASCADE
    nms_private.targets: FOREIGN KEY (run_id) REFERENCES nms.table_metrics_runs(run_id) ON DELETE CASCADE
  `
  t.deepEqual(
    await list(sql`
      select format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid))
      from pg_constraint
      where connamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and contype = 'f'
      order by 1
    `),
    lines(keys),
  )
})

const refusals: [what: string, constraint: string, statement: string][] = [
  ['a measurement without a count or a reason', 'counted_or_failed_with_a_reason', measurement({})],
  [
    'a count together with an error',
    'counted_or_failed_with_a_reason',
    measurement({ row_count: '1', own_row_count: '1', error_sqlstate: "'42501'", error_message: "'no'" }),
  ],
  [
    'a failed measurement without a message',
    'counted_or_failed_with_a_reason',
    measurement({ error_sqlstate: "'42501'" }),
  ],
  [
    'a negative count',
    'own_row_count_is_part_of_row_count',
    measurement({ row_count: '-1', own_row_count: '-1' }),
  ],
  [
    'more rows of its own than rows',
    'own_row_count_is_part_of_row_count',
    measurement({ row_count: '1', own_row_count: '2' }),
  ],
  [
    'an unknown method',
    'method_is_known',
    measurement({ row_count: '1', own_row_count: '1', method: "'guess'" }),
  ],
  [
    'an unknown status',
    'status_is_known',
    `update nms.table_metrics_runs set status = 'DONE', finished_at = now()`,
  ],
  [
    'a failed run without a reason',
    'failed_runs_have_a_reason',
    `update nms.table_metrics_runs set status = 'FAILED', finished_at = now()`,
  ],
  [
    'a finished run without an end',
    'finished_runs_have_an_end',
    `update nms.table_metrics_runs set status = 'SUCCEEDED', target_count = 0`,
  ],
  [
    'a reason of more than 2,000 characters',
    'error_message_has_at_most_2000_characters',
    `update nms.table_metrics_runs set status = 'FAILED', finished_at = now(), error_message = repeat('x', 2001)`,
  ],
  [
    'a time zone that the server does not know',
    'business_time_zone_is_known_to_the_server',
    `update nms.table_metrics_settings set business_time_zone = 'America/Springfield'`,
  ],
  [
    'a second row of settings',
    'there_is_one_row',
    'insert into nms.table_metrics_settings (singleton) values (false)',
  ],
  [
    'a lock timeout of nothing',
    'lock_timeout_is_between_1_ms_and_1_day',
    `update nms.table_metrics_settings set lock_timeout = '0'`,
  ],
  [
    'a negative time until a run counts as abandoned',
    'abandon_after_is_between_1_s_and_30_days',
    `update nms.table_metrics_settings set abandon_after = '-1 s'`,
  ],
  [
    'a rule for a table without its schema',
    'a_table_is_named_with_its_schema',
    `insert into nms.table_metrics_alert_rules (table_name, is_on) values ('orders', false)`,
  ],
  [
    'a rule that decides nothing',
    'a_rule_decides_something',
    `insert into nms.table_metrics_alert_rules (schema_name) values ('staging')`,
  ],
  [
    'a rule for an unknown kind',
    'kind_is_known',
    `insert into nms.table_metrics_alert_rules (kind, is_on) values ('droop', false)`,
  ],
  [
    'a drop of more than everything',
    'drop_percent_is_between_1_and_100',
    `insert into nms.table_metrics_alert_rules (drop_percent) values (101)`,
  ],
  [
    'a schema that is late',
    'failures_and_lateness_are_of_no_schema',
    `insert into nms.table_metrics_alert_rules (schema_name, late_after) values ('staging', '2 hours')`,
  ],
]

test('a row that cannot be true is refused by a constraint that says so', async (t) => {
  const { sql } = await createDatabase(t)
  await sql`select nms.open_run()`
  for (const [what, constraint_name, statement] of refusals) {
    await t.throwsAsync(sql.unsafe(statement), { code: '23514' }, what)
    await sql.unsafe(statement).catch((error) => t.is(error.constraint_name, constraint_name, what))
  }
})

test('every object of ours has a comment that says something', async (t) => {
  const { sql } = await createDatabase(t)
  const objects = await sql<{ object: string; name: string; comment: string | null }[]>`
    with object (class, id, sub, name) as (
      select 'pg_namespace'::regclass, oid, 0, nspname from pg_namespace where nspname in ('nms', 'nms_private')
      union all
      select 'pg_class'::regclass, oid, 0, relname
      from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind in ('r', 'p', 'v', 'm', 'f')
      union all
      select 'pg_class'::regclass, attrelid, attnum, attname
      from pg_attribute join pg_class on pg_class.oid = attrelid
      where
        relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and relkind in ('r', 'p', 'v', 'm', 'f', 'c')
        and attnum > 0 and not attisdropped
      union all
      select 'pg_proc'::regclass, oid, 0, proname from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      union all
      select 'pg_type'::regclass, pg_type.oid, 0, typname
      from pg_type left join pg_class on pg_class.oid = typrelid
      where typnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and typtype in ('c', 'd', 'e') and coalesce(relkind, 'c') = 'c'
      union all
      select 'pg_trigger'::regclass, pg_trigger.oid, 0, tgname
      from pg_trigger join pg_class on pg_class.oid = tgrelid
      where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and not tgisinternal
    )
    select pg_describe_object(class, id, sub) as object, name, description as comment
    from object
    left join pg_description on classoid = class and objoid = id and objsubid = sub
    order by 1
  `
  const words = (text: string) =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z]+/g, ' ')
      .trim()
  t.deepEqual(
    objects.filter(({ name, comment }) => !comment || comment.length < 12 || words(comment) === words(name)),
    [],
  )
  t.true(objects.length > 60)
})

test('every function is pinned to the built-in names and closed to the public', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select proname
      from pg_proc
      where
        pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        and proname <> 'equals' -- of which nothing is left when it is run
        and (
          not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)
          or has_function_privilege('public', oid, 'execute')
        )
    `),
    [],
  )
})

test('nothing that is stored depends on anything outside pg_catalog and our schemas', async (t) => {
  const { sql } = await createDatabase(t)
  const dependencies = () =>
    list(sql`
      select distinct format('%s needs %s', pg_describe_object(classid, objid, 0), needed.identity)
      from (select * from pg_depend where classid <> 0) as dependency -- 14 has entries of nobody
      cross join lateral pg_identify_object(classid, objid, 0) as dependent
      cross join lateral pg_identify_object(refclassid, refobjid, 0) as needed
      where
        (dependent.schema in ('nms', 'nms_private') or dependent.identity ~ '\\mnms(_private)?\\.')
        and needed.schema not in ('nms', 'nms_private')
      order by 1
    `)
  t.deepEqual(await dependencies(), [])

  await sql.unsafe(`
    create function public.calm() returns int immutable language sql as 'select 1';
    create view nms.strange as select public.calm() as one;
    alter table nms.table_metrics_settings add strange int default public.calm() check (strange = public.calm());
    create index strange_idx on nms.table_metrics_runs ((public.calm()));
  `)
  t.is((await dependencies()).length, 4, 'the question does not find what it asks for')
})

test('nobody but the owner was granted anything by the install', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    [
      ...(await sql`
        with object (name, owner, acl) as (
          select nspname, nspowner, nspacl from pg_namespace where nspname in ('nms', 'nms_private')
          union all
          select relname, relowner, relacl from pg_class where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
          union all
          select format('%s.%s', relname, attname), relowner, attacl
          from pg_attribute join pg_class on pg_class.oid = attrelid where relnamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
          union all
          select proname, proowner, coalesce(proacl, acldefault('f', proowner))
          from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
          union all
          select format('default privileges: %s', defaclobjtype), defaclrole, defaclacl from pg_default_acl
        )
        select object.name, grantee::regrole::text as grantee, privilege_type
        from object
        cross join aclexplode(acl)
        where grantee <> owner
      `),
    ],
    [],
  )
})

test('the calls, and no other functions, run with the rights of their owner', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select proname
      from pg_proc
      where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and prosecdef
      order by proname collate "C"
    `),
    [
      'abandon_silent_runs',
      'acknowledge_alert',
      'alert_changes',
      'alert_rule',
      'alert_rules_report',
      'alerts_report',
      'call_as_nobody',
      'call_filter_function',
      'check_report',
      'close_run',
      'collect_table_metrics',
      'compare_days',
      'compare_report',
      'compare_runs',
      'complete_table',
      'count_elsewhere',
      'counting_sessions',
      'current_count',
      'day_report',
      'day_snapshot',
      'days_report',
      'estimate_count',
      'failed_after_counting',
      'filter_functions',
      'find_alerts',
      'find_problems',
      'find_run',
      'find_scope',
      'find_table',
      'fold_counts',
      'forecast_report',
      'forget_maintained',
      'give_up_run',
      'growth',
      'growth_report',
      'import_run',
      'is_retryable',
      'list_maintained',
      'measure_targets',
      'metrics_report',
      'note_changes',
      'open_job',
      'open_run',
      'overview_report',
      'period_report',
      'preview_run',
      'prunable_runs',
      'prune_table_metrics',
      'rebuild_daily_snapshot',
      'rebuild_run_snapshot',
      'record_alerts',
      'record_missing_run',
      'register_maintained',
      'remember_event',
      'request_problem',
      'resume_carrying',
      'run_report',
      'run_snapshot',
      'runs_report',
      'settle_message',
      'silence_alerts',
      'status_report',
      'table_report',
      'table_trend',
      'table_trend',
      'tables_report',
      'take_message',
      'trend',
      'trend_report',
      'validate_filter',
      'validate_job',
      'validate_prune_job',
      'why_not_maintained',
      'write_digest',
      'write_messages',
      'yield_target',
    ],
  )
})

test('the calls take the documented arguments and return what they promise', async (t) => {
  const { sql } = await createDatabase(t)
  const signatures = `
    close_run(run_id bigint) nms.table_metrics_runs
    collect_table_metrics(skip jsonb DEFAULT '[]'::jsonb, exclude jsonb DEFAULT '[]'::jsonb, run_id bigint DEFAULT NULL::bigint) nms.table_metrics_runs
    measure_targets(run_id bigint, budget interval DEFAULT '00:00:01'::interval, OUT tables_counted bigint, OUT rows_counted numeric, OUT pages_counted bigint, OUT tables_left bigint, OUT pages_left bigint, OUT is_finished boolean) record
    open_run(skip jsonb DEFAULT '[]'::jsonb, exclude jsonb DEFAULT '[]'::jsonb) bigint
  `
  t.deepEqual(
    await list(sql`
      select format('%s(%s) %s', proname, pg_get_function_arguments(oid), pg_get_function_result(oid))
      from pg_proc
      where
        pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        and proname in ('open_run', 'measure_targets', 'close_run', 'collect_table_metrics')
      order by 1
    `),
    lines(signatures),
  )
})

test('every function has the file of its name, and every file its function', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    (await fixtureFiles()).map((file) => basename(file)).sort(),
    await list(sql`
      select proname || '.sql' from pg_proc where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) group by proname order by proname collate "C"
    `),
  )
})

test('every function states its volatility, parallel label and search_path first', async (t) => {
  const { sql } = await createDatabase(t)
  const functions = await sql<{ name: string; label: string }[]>`
    select
      proname as name,
      concat_ws(
        ' ',
        'language', lanname,
        case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
        'parallel', case proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end,
        case when prosecdef then 'security definer' end
      ) as label
    from pg_proc join pg_language on pg_language.oid = prolang
    where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and proname <> 'equals'
  `
  const files = new Map((await fixtureFiles()).map((file) => [basename(file, '.sql'), file]))
  for (const { name, label } of functions) {
    const text = await readFile(files.get(name) ?? '', 'utf8')
    t.true(text.includes(`\n${label}\nset search_path = pg_catalog, pg_temp\n`), `${name}: ${label}`)
  }
})

test('what reads all counts from one snapshot is stable, what writes is volatile', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select format('%s %s', proname, provolatile)
      from pg_proc
      where
        pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        and proname not like 'lint\\_%' -- the remedy of a problem may be a statement that writes
        and (proname = 'count_tables' or (provolatile <> 'v' and prosrc ~ '\\m(insert into|update nms|delete from)\\M'))
    `),
    ['count_tables s'],
  )
  t.deepEqual(
    await list(sql`
      select proname
      from pg_proc join pg_language on pg_language.oid = prolang
      where
        pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
        and proparallel <> 'u'
        and (provolatile = 'v' or prosrc ~ '\\mexception\\n|\\mset_config\\M')
    `),
    [],
    'parallel workers can neither write nor open a subtransaction',
  )
})

test('no function reads information_schema, which hides what a role may not read', async (t) => {
  const { sql } = await createDatabase(t)
  t.deepEqual(
    await list(sql`
      select proname
      from pg_proc
      where pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace) and prosrc ~* 'information_schema"?\\s*\\.'
    `),
    [],
  )
  t.is((await collect(sql)).status, 'SUCCEEDED')
})

function measurement(columns: Record<string, string>): string {
  const row = {
    run_id: '(select run_id from nms.table_metrics_runs)',
    schema_name: "'public'",
    table_name: "'orders'",
    measured_at: 'now()',
    table_kind: "'table'",
    is_partition: 'false',
    table_oid: '1',
    ...columns,
  }
  return `insert into nms.table_metrics_measurements (${Object.keys(row)}) values (${Object.values(row)})`
}

/** The only column of a query. */
async function list(query: PromiseLike<readonly (object | undefined)[]>): Promise<string[]> {
  return (await query).map((row) => String(Object.values(row ?? {})[0]))
}

function lines(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
}

async function fixtureFiles(): Promise<string[]> {
  const files = await readdir(fixtures, { recursive: true })
  return files.filter((file) => file.endsWith('.sql')).map((file) => `${fixtures}/${file}`)
}
