import { readFile } from 'node:fs/promises'
import { type ParsedCronItem, parseCrontab } from 'graphile-worker'
import { pruneTaskName, sendTaskName, taskName as task, taskNames } from '../schedule/crontab.ts'
import { firesAt } from '../schedule/next_slot.ts'
import { sendProblem } from '../schedule/send_payload.ts'
import type { Problem } from './doctor.ts'

/** A line of a schedule: where it stands, and what it says. */
export type Line = { subject: string; item: ParsedCronItem }

/**
 * Why a schedule would not collect, or not when somebody expects it.
 *
 * Resolves to the problems, to the payloads of its jobs that collect, and to its lines that prune.
 *
 * @param file a crontab as graphile-worker reads it
 */
export async function scheduleProblems(
  file: string,
): Promise<{ problems: Problem[]; payloads: unknown[]; pruning: Line[] }> {
  const { lines, problems } = await readCrontab(file)
  const collecting = lines.filter(({ item }) => item.task === task)
  if (collecting.length === 0 && problems.length === 0) {
    problems.push({
      severity: 'error',
      problem: 'nothing_scheduled',
      subject: file,
      detail: `no line of it has the task ${task}: nothing is collected`,
      remedy: `add a line such as: 15 5 * * * ${task} ?id=daily&fill=1d`,
    })
  }
  const pruning = lines.filter(({ item }) => item.task === pruneTaskName)
  const sending = lines.filter(({ item }) => item.task === sendTaskName)
  const strange = lines.filter(({ item }) => !taskNames.includes(item.task))
  return {
    problems: [
      ...problems,
      ...strange.map(strangeTask),
      ...sending.flatMap(malformedDigest),
      ...[...collecting, ...pruning, ...sending].flatMap(tickingProblems),
    ],
    payloads: collecting.map(({ item }) => item.payload ?? {}),
    pruning,
  }
}

function strangeTask({ subject, item }: Line): Problem {
  return {
    severity: 'warning',
    problem: 'strange_task',
    subject,
    detail: `table-metrics worker has no task ${item.task}, and does not start with this line; another worker may have it`,
    remedy: `write ${taskNames.join(' or ')}, or move the line to the crontab of that worker`,
  }
}

function malformedDigest({ subject, item }: Line): Problem[] {
  const detail = sendProblem(item.payload)
  if (detail === null) return []
  const remedy = `write for example: 0 7 * * 1 ${sendTaskName} ?id=weekly {digest: "weekly"}`
  return [{ severity: 'error', problem: 'malformed_payload', subject, detail, remedy }]
}

async function readCrontab(file: string): Promise<{ lines: Line[]; problems: Problem[] }> {
  const lines: Line[] = []
  const problems: Problem[] = []
  const malformed = (subject: string, error: unknown): Problem => ({
    severity: 'error',
    problem: 'crontab_malformed',
    subject,
    detail: (error as Error).message,
    remedy:
      'write it as minute hour date month weekday task ?options {payload}: the worker does not start with this one',
  })
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    return { lines, problems: [malformed(file, error)] }
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const subject = `${file}:${index + 1}`
    try {
      // Behind empty lines, so that messages have its number.
      for (const item of parseCrontab('\n'.repeat(index) + line)) lines.push({ subject, item })
    } catch (error) {
      problems.push(malformed(subject, error))
    }
  }
  if (problems.length === 0) {
    try {
      parseCrontab(text)
    } catch (error) {
      problems.push(malformed(file, error)) // each line is right by itself
    }
  }
  return { lines, problems }
}

function tickingProblems({ subject, item }: Line): Problem[] {
  const pause = longestPause(item)
  if (pause === undefined) {
    const detail = 'no date is like that: it never fires'
    const remedy = `for each day: 15 5 * * * ${item.task}`
    return [{ severity: 'error', problem: 'schedule_never_fires', subject, detail, remedy }]
  }
  const { localTime } = (item.payload ?? {}) as { localTime?: unknown }
  if (item.task !== task || localTime === undefined || pause <= 60) return []
  return [
    {
      severity: 'warning',
      problem: 'local_time_ticks_rarely',
      subject,
      detail: `a run for ${localTime} starts at the next tick, and up to ${pause} minutes lie between two of them`,
      remedy: `let it tick often, it fires once a day all the same: */15 * * * * ${task}`,
    },
  ]
}

/** In minutes; undefined for a line that never ticks. A leap year has every date that there is. */
function longestPause(item: ParsedCronItem): number | undefined {
  const minutes = 366 * 24 * 60
  let first: number | undefined
  let last = 0
  let longest = 0
  for (let minute = 0; minute < minutes; minute++) {
    if (!firesAt(item, new Date(Date.UTC(2028, 0, 1, 0, minute)))) continue
    if (first === undefined) first = minute
    else longest = Math.max(longest, minute - last)
    last = minute
  }
  return first === undefined ? undefined : Math.max(longest, first + minutes - last)
}
