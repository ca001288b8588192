// Writes migrations/schema.sql: what a fresh install dumps to.
import { writeFileSync } from 'node:fs'
import { migrationsFolder } from '../src/install/migrations.ts'
import { schemaDump } from './_migrations/schema_dump.ts'

writeFileSync(`${migrationsFolder}/schema.sql`, await schemaDump())
