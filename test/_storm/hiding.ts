import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDatabase } from '../_support/database.ts'
import { randomFrom } from '../_support/soak.ts'
import type { Random } from './operations.ts'
import { type Counts, count } from './sessions.ts'
import { hidersName, stillTables } from './still.ts'

interface Hiding {
  /** Runs one message of statements. */
  say(statements: string): Promise<unknown>
  /** A statement that moves rows. */
  move(): string
  /** Seconds for which to hide, and the waiting itself. */
  seconds: number
  wait(): Promise<unknown>
  /** A table that is no partition. */
  table: string
  id: string
}

/** How a session commits and does not tell: the counters of the server show it when it has ended all this. */
const makers: Record<string, (hiding: Hiding) => Promise<unknown>> = {
  idle: ({ wait }) => wait(),
  'idle in transaction': async ({ say, wait }) => {
    await say('begin')
    await say('select')
    await wait()
    await say('commit')
  },
  'commit and chain': async ({ say, move, wait }) => {
    await say('begin')
    await say(move())
    await say('commit and chain')
    await say('select')
    await wait()
    await say('commit')
  },
  'DO with commits': ({ say, move, seconds }) =>
    say(`do $$ begin
      for v_time in 1..${1 + Math.ceil(seconds)} loop ${move().replace('select', 'perform')}; commit; perform pg_sleep(0.9); end loop;
    end $$`),
  'several statements in one message': ({ say, move, seconds }) =>
    say(`begin; ${move()}; commit; begin; ${move()}; commit; select pg_sleep(${seconds})`),
  'a long query': ({ say, seconds }) => say(`select pg_sleep(${seconds})`),
  'a long transaction': async ({ say, move, wait }) => {
    await say('begin')
    await say(move())
    await wait()
    await say('commit and chain')
    await say('select')
    await wait()
    await say('commit')
  },
  savepoints: async ({ say, move, wait }) => {
    await say(
      `begin; savepoint a; ${move()}; release a; savepoint b; ${move()}; rollback to b; commit; begin`,
    )
    await wait()
    await say('commit')
  },
  'a prepared transaction': async ({ say, move, wait, id }) => {
    await say(`begin; ${move()}; prepare transaction '${id}'`)
    await wait()
    await say(`commit prepared '${id}'`)
    await say('begin; select')
    await wait()
    await say('commit')
  },
  'a prepared transaction, rolled back': async ({ say, move, wait, id }) => {
    await say(`begin; ${move()}; prepare transaction '${id}'`)
    await wait()
    await say(`rollback prepared '${id}'`)
  },
  truncate: async ({ say, wait, table }) => {
    await say(`begin; select storm.empty('${table}'); commit; begin`)
    await wait()
    await say('commit')
  },
  'truncate, rolled back': async ({ say, move, wait, table }) => {
    await say(`begin; truncate ${table}; rollback`)
    await say(`begin; savepoint a; truncate ${table}; rollback to a; ${move()}; commit; begin`)
    await wait()
    await say('commit')
  },
  'an aborted transaction': async ({ say, move, wait }) => {
    await say(`begin; ${move()}`)
    await say('select 1 / 0').catch(() => undefined)
    await wait()
    await say('rollback')
  },
}

export const kindsOfHiding = Object.keys(makers)

/** Lets a session hide in one way after the other, until it is over. It may be killed meanwhile, and comes back. */
export async function hide(
  db: TestDatabase,
  seed: number,
  isOver: () => boolean,
  hidden: Counts,
  longest = 6,
): Promise<void> {
  const random = randomFrom(seed)
  for (let turn = 1; !isOver(); ) {
    // What has not been told is told when the session ends.
    const sql = db.connect({ connection: { application_name: hidersName, lock_timeout: 200 } })
    for (const end = turn + 1 + random() * 6; turn < end && !isOver(); turn++) {
      const kind = kindsOfHiding[Math.floor(random() * kindsOfHiding.length)] as string
      const seconds = random() ** 2 * longest
      const say = (statements: string) => sql.unsafe(statements).simple()
      const move = () => stir(random)
      const table = stillTables[Math.floor(random() * stillTables.length)] as string
      try {
        // Within a second after it has told something, a session does not tell the next.
        await say(move())
        await say(move())
        const wait = () => sleep(seconds * 1000)
        await makers[kind]?.({ say, move, seconds, wait, table, id: `hidden ${seed} ${turn}` })
        count(hidden, kind)
        await sleep(500 + random() * 1_500) // idle, where a run may find that it has told everything
      } catch (error) {
        count(hidden, (error as { code?: string }).code ?? 'lost')
        await sql.unsafe('rollback').catch(() => sleep(200))
      }
    }
    await sql.end({ timeout: 1 })
  }
}

function stir(random: Random): string {
  const rows = 1 + Math.floor(random() * 4)
  const leaf = 1 + Math.floor(random() * 9)
  const table =
    random() < 0.15
      ? `still.leaf_${leaf}`
      : (stillTables[Math.floor(random() * stillTables.length)] as string)
  return `select storm.stir('${table}', ${random() < 0.5 ? rows : -rows})`
}
