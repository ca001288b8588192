import { readFile } from 'node:fs/promises'
import test from 'ava'
import { uninstallScript } from '../../../src/install/install_script.ts'
import { migrationsFolder } from '../../../src/install/migrations.ts'
import { createDatabase } from '../../_support/database.ts'
import { counts, maintained } from '../../_support/maintained.ts'

const install = await readFile(`${migrationsFolder}/committed/000001-table-metrics.sql`, 'utf8')

test('while the same is installed again, writers neither wait nor are waited for', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await maintained(sql, 'public.orders', 10)
  const [writer, installer] = [connect(), connect()]
  await writer.unsafe(`set lock_timeout = '5 s'; begin; insert into public.orders values (101)`)

  await installer.unsafe(`begin; ${install}`)
  await writer`commit`
  await writer.unsafe(`
    insert into public.orders values (102), (103); delete from public.orders where id = 1;
    truncate public.orders; insert into public.orders values (104)
  `)
  t.deepEqual(await counts(writer, 'public.orders'), [1, 1, ''])
  await installer`commit`

  t.deepEqual(await counts(sql, 'public.orders'), [1, 1, ''])
  await sql`select nms.fold_counts()`
  t.deepEqual(await counts(sql, 'public.orders'), [1, 1, ''])
})

test('an uninstall takes the triggers along, and leaves the table as it was', async (t) => {
  const { sql, connect } = await createDatabase(t)
  const shape = () => sql`
    select relname, (select count(*) from pg_trigger where tgrelid = pg_class.oid and not tgisinternal) as triggers
    from pg_class where relnamespace = 'public'::regnamespace order by 1
  `
  await sql`create table public.orders (id bigint primary key, note text)`
  const before = [...(await shape())]
  await sql`select nms.maintain_count('public.orders')`
  await sql`select nms.fold_counts()`
  await sql`insert into public.orders values (1)`

  await connect().unsafe(await uninstallScript())

  t.deepEqual([...(await shape())], before)
  await sql`insert into public.orders values (2)`
  await sql`truncate public.orders`
  await sql`drop table public.orders`
})

test('somebody else’s trigger with a function of ours is not dropped along', async (t) => {
  const { sql, connect } = await createDatabase(t)
  await sql.unsafe(`
    create table public.notes (id bigint);
    create trigger theirs after insert on public.notes for each statement
      execute function nms_private.delete_measurements_of_deleted_runs()
  `)
  await t.throwsAsync(connect().unsafe(await uninstallScript()), { code: '2BP01' })
})
