import test from 'ava'
import { createDatabase } from '../../_support/database.ts'
import { counts, maintained } from '../../_support/maintained.ts'
import { rolesScript } from '../../_support/reader.ts'

test('a trigger that has no rows to show does not read what its session calls them', async (t) => {
  const db = await createDatabase(t)
  await db.connect().unsafe(rolesScript)
  const attacker = await db.createRole()
  await db.sql.unsafe(`
    grant table_metrics_maintainer to ${attacker.name};
    create schema bait authorization ${attacker.name};
  `)
  const heard: string[] = []
  const sql = db.connect({ onnotice: ({ message }) => heard.push(message ?? '') })
  await sql.unsafe(`
    set role ${attacker.name};
    create table bait.orders (id bigint);
    create function bait.spy() returns boolean language plpgsql as $$
      begin raise notice 'the spy acts as %', current_user; return true; end
    $$;
    create trigger spying after insert on bait.orders for each statement execute function nms_private.note_changes();
    create temp view changed as select 1 as id where bait.spy();
  `)

  await t.throwsAsync(sql`insert into bait.orders values (1)`, { code: '55000' })

  t.deepEqual(heard, [])
  await sql`truncate bait.orders`
})

test('a temporary table of the name of the rows that a trigger is shown changes nothing', async (t) => {
  const db = await createDatabase(t)
  await maintained(db.sql, 'public.orders', 10)
  const sql = db.connect()
  await sql`create temp table changed as select generate_series(1, 100) as id`

  await sql`insert into public.orders select generate_series(11, 15)`
  await sql`delete from public.orders where id = 1`

  t.deepEqual(await counts(sql, 'public.orders'), [14, 14, ''])
})
