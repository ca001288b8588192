import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { migrationsFolder } from '../../src/install/migrations.ts'
import { checkout } from './checkout.ts'

/** SQL to load, and where each of its lines stands for a person, such as `current.sql:3`. */
export interface Script {
  text: string
  places: string[]
}

/** A file as it is. */
export function scriptOf(file: string): Script {
  const text = readFileSync(file, 'utf8')
  return { text, places: text.split('\n').map((_, n) => `${relative(checkout, file)}:${n + 1}`) }
}

/** A fixture, such as `functions/run/is_silent.sql`. */
export function fixtureScript(name: string): Script {
  return scriptOf(`${migrationsFolder}/fixtures/${name}`)
}

/**
 * What graphile-migrate has put together: lines of fixtures stand between its marks, the others in these files,
 * in this order.
 */
export function compiledScript(text: string, files: string[]): Script {
  const own = files.flatMap((file) => {
    const script = scriptOf(file)
    return ownLines(script.text).map((n) => script.places[n] ?? file)
  })
  const ours = new Map(ownLines(text).map((n, nth) => [n, own[nth]]))
  let place = own[0] ?? ''
  let fixture: { name: string; line: number } | undefined
  const places = text.split('\n').map((line, n) => {
    const [, end, name] = /^--! (End)?Included (\S+)$/.exec(line) ?? []
    if (name) fixture = end ? undefined : { name, line: 0 }
    else if (fixture) fixture.line += 1
    place = ours.get(n) ?? place
    return fixture ? `migrations/fixtures/${fixture.name}:${Math.max(fixture.line, 1)}` : place
  })
  return { text, places }
}

/** Numbers, from 0, of the lines that belong to no fixture and say something. */
function ownLines(text: string): number[] {
  let isIncluded = false
  return text.split('\n').flatMap((line, n) => {
    const mark = /^--! (End)?Included /.exec(line)
    if (mark) isIncluded = !mark[1]
    return isIncluded || line.startsWith('--!') || line.trim() === '' ? [] : [n]
  })
}
