// Checks every PL/pgSQL function with plpgsql_check, all warnings on, on Debian's PostgreSQL 15.
import { existsSync } from 'node:fs'
import { migrate } from '../src/install/migrate.ts'
import { onScratchServer } from './_migrations/scratch.ts'

const debian = '/usr/lib/postgresql/15'
if (!existsSync(`${debian}/lib/plpgsql_check.so`)) {
  console.error('plpgsql_check is not installed: apt-get install postgresql-15 postgresql-15-plpgsql-check')
  process.exit(1)
}

await onScratchServer(async (scratch) => {
  const { url, sql } = await scratch.createDatabase('checked')
  await migrate(url)
  await sql`create extension plpgsql_check`
  const findings = await sql<{ line: string }[]>`
    select format('%s: %s', function.proname, finding) as line
    from pg_proc as function
    join pg_language as language on language.oid = function.prolang and language.lanname = 'plpgsql'
    cross join lateral plpgsql_check_function(
      function.oid,
      relid => coalesce(
        (select min(trigger.tgrelid::bigint)::oid from pg_trigger as trigger where trigger.tgfoid = function.oid),
        case when function.prorettype = 'trigger'::regtype then 'nms.table_metrics_runs'::regclass end,
        0
      ),
      oldtable => case
        when function.proname = 'delete_measurements_of_deleted_runs' then 'deleted_runs'
        when function.proname = 'note_changes' then 'changed'
      end,
      -- It cannot follow what a query of these returns, which has to be put together.
      extra_warnings => function.proname not in ('extension_tables', 'find_strange_jobs'),
      -- Volatile on purpose: it looks under a snapshot of its own.
      performance_warnings => function.proname not in ('chunks_of_now', 'filter_test'),
      -- It cannot follow a statement that a query has put together with %I.
      security_warnings => function.proname not in ('count_tables', 'count_filtered', 'read_foreign'),
      compatibility_warnings => true
    ) as finding
    where function.pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
  `
  const [{ checked }] = await sql<[{ checked: string }]>`
    select count(*) as checked
    from pg_proc
    where
      pronamespace in ('nms'::regnamespace, 'nms_private'::regnamespace)
      and prolang = (select oid from pg_language where lanname = 'plpgsql')
  `
  for (const { line } of findings) console.log(line)
  console.log(`plpgsql_check: ${checked} functions, ${findings.length} findings`)
  if (findings.length > 0 || checked === '0') process.exitCode = 1
}, debian)
