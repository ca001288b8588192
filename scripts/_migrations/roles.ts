import { migrationsFolder } from '../../src/install/migrations.ts'
import { type Script, scriptOf } from './script.ts'

/** migrations/roles.sql for a transaction that has begun. */
export function rolesScript(): Script {
  const { text, places } = scriptOf(`${migrationsFolder}/roles.sql`)
  return { text: text.replace(/^(begin|commit);$/gm, ''), places }
}
