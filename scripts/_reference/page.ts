import type postgres from 'postgres'
import { fixtures, fixtureText, objectName } from '../_migrations/checkout.ts'
import { type Area, areaOfRelation, areas, codes, leading } from './areas.ts'
import { type Call, calls, type Relation, relations, remedyOf } from './catalogue.ts'

/** docs/reference.md: what an install has for people, by area, and at its end what it has for the runner. */
export async function referencePage(sql: postgres.Sql): Promise<string> {
  const [everyCall, everyRelation] = [await calls(sql), await relations(sql)]
  const forPeople = everyCall.filter(({ schema }) => schema === 'nms')
  const chapters = (Object.keys(areas) as Area[]).map((area) =>
    [
      `## ${title(area)}`,
      areas[area],
      ...forPeople
        .filter(({ name }) => areaOfCall(name) === area)
        .sort(leadingFirst)
        .map(describeCall),
      ...everyRelation
        .filter(({ name }) => areaOf(name) === area)
        .sort(viewsFirst)
        .map(describeRelation),
    ].join('\n\n'),
  )
  const page = [
    '# Reference',
    'Made from the comments in the catalogue by `npm run reference`. What people use is in the schema `nms`. The collectors,\n' +
      'workers, maintainers, readers and requesters who may call something are the members of the roles\n' +
      '`table_metrics_collector`, `table_metrics_worker`, `table_metrics_maintainer`, `table_metrics_reader` and\n' +
      '`table_metrics_requester`; each of the first four may read every table and view.',
    [...Object.keys(areas), 'error codes', 'what the runner calls']
      .map((chapter) => `[${title(chapter)}](#${chapter.replaceAll(' ', '-')})`)
      .join(' · '),
    ...chapters,
    '## Error codes',
    'SQLSTATEs of our own, in `error_sqlstate` of nms.table_metrics_measurements. All others are those of PostgreSQL.',
    await errorCodes(sql),
    '## What the runner calls',
    'In the schema `nms_private`: these may change with every version, together with the runner.',
    runnersCalls(everyCall.filter(({ schema }) => schema === 'nms_private')),
  ]
  return `${page.join('\n\n')}\n`
}

function areaOfCall(name: string): string {
  const [, area = ''] =
    /^functions\/(\w+)\//.exec(fixtures().find((fixture) => objectName(fixture) === name) ?? '') ?? []
  if (area in areas) return area
  throw new Error(`scripts/_reference/areas.ts: nms.${name} lies in a folder without a chapter, ${area}`)
}

function areaOf(relation: string): Area {
  const area = areaOfRelation[relation]
  if (!area) throw new Error(`scripts/_reference/areas.ts has no area for nms.${relation}`)
  return area
}

function leadingFirst(a: Call, b: Call): number {
  const place = ({ name }: Call) => (leading.includes(name) ? leading.indexOf(name) : leading.length)
  return place(a) - place(b)
}

function viewsFirst(a: Relation, b: Relation): number {
  return b.kind.localeCompare(a.kind)
}

function describeCall({ name, arguments: parameters, result, comment, roles }: Call): string {
  return [
    `### nms.${name}`,
    `\`\`\`\nnms.${name}(${parameters})\n  returns ${result}\n\`\`\``,
    `${comment} For ${roles}.`,
  ].join('\n\n')
}

function describeRelation({ name, kind, comment, is_maintained, columns }: Relation): string {
  return [
    `### nms.${name}`,
    `A ${kind}${is_maintained ? ', which maintainers may change' : ''}. ${comment}`,
    table(
      ['column', 'type', ''],
      columns.map((column) => [`\`${column.name}\``, column.type, column.comment]),
    ),
  ].join('\n\n')
}

async function errorCodes(sql: postgres.Sql): Promise<string> {
  const found = new Map<string, Set<string>>()
  for (const fixture of fixtures()) {
    for (const [, code = ''] of fixtureText(fixture).matchAll(
      /(?:raise sqlstate|error_sqlstate (?:=>|:=)|error_sqlstate,) '(NM\d+)'/g,
    )) {
      found.set(code, (found.get(code) ?? new Set()).add(objectName(fixture)))
    }
  }
  for (const code of [...found.keys(), ...Object.keys(codes)]) {
    if (found.has(code) && code in codes) continue
    throw new Error(`scripts/_reference/areas.ts: ${code} is raised, or is explained, but not both`)
  }
  const rows = [...found.keys()].sort().map(async (code) => {
    const remedy = await remedyOf(sql, code)
    const from = [...(found.get(code) ?? [])].map((name) => `\`${name}\``).join(', ')
    return [code, [codes[code], remedy && `What to do: ${remedy}.`].filter(Boolean).join(' '), from]
  })
  return table(['code', '', 'from'], await Promise.all(rows))
}

function runnersCalls(found: Call[]): string {
  return table(
    ['call', '', 'for'],
    found.map((call) => [
      `\`${call.name}(${call.arguments})\` returns \`${call.result}\``,
      call.comment,
      call.roles,
    ]),
  )
}

function table(head: string[], rows: (string | undefined)[][]): string {
  const line = (cells: (string | undefined)[]) =>
    `| ${cells.map((text = '') => (text ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function title(chapter: string): string {
  return `${chapter[0]?.toUpperCase()}${chapter.slice(1)}`
}
