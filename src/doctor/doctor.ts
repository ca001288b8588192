import { connect, type Sql } from '../connection/database.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { codeOf, describeError } from '../errors.ts'
import { describeCarrying } from '../reading/carrying.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { readStatus, type StatusReport } from '../reading/status.ts'
import { shownZone } from '../reading/time_zone.ts'
import { defaultCrontab } from '../schedule/crontab.ts'
import { payloadAsText } from '../schedule/payload.ts'
import { pruneProblem } from '../schedule/prune_payload.ts'
import { readStrangeJobs } from '../schedule/strange_jobs.ts'
import { installProblems } from './install.ts'
import { type Line, scheduleProblems } from './schedule.ts'

/** Something that makes a run fail, or its result misleading. */
export interface Problem {
  /** A run fails, or there is none: error. */
  severity: 'error' | 'warning'
  /** A name that does not change, such as `table_not_readable`. */
  problem: string
  /** What has it, such as a table. */
  subject: string
  detail: string
  /** The statement or command that mends it. */
  remedy: string
}

/** What `table-metrics doctor` says. */
export interface Diagnosis {
  /** Errors first. */
  problems: Problem[]
  /** Lines that tell how far carried counts can be trusted: none where nothing is carried, or the database cannot be asked. */
  trust: string[]
}

/**
 * Looks for everything that would make a run of the schedule fail, or its result misleading, and
 * changes nothing. That the database cannot be asked is a problem as well.
 *
 * @param url the database
 * @param crontab file with the schedule, by default that of this package
 */
export async function diagnose(url: string, crontab = defaultCrontab): Promise<Diagnosis> {
  const schedule = await scheduleProblems(crontab)
  const { problems, trust } = await askDatabase(url, schedule)
  const all = [...problems, ...schedule.problems, ...webhookProblems()]
  return { problems: all.sort((one, other) => one.severity.localeCompare(other.severity)), trust }
}

function webhookProblems(): Problem[] {
  try {
    readWebhook()
    return []
  } catch (error) {
    const [subject = '', ...detail] = (error as Error).message.split(': ')
    return [
      {
        severity: 'error',
        problem: 'webhook_malformed',
        subject,
        detail: `${detail.join(': ')}: worker and collect do not start with it`,
        remedy: 'set it, then: table-metrics test-webhook',
      },
    ]
  }
}

type Schedule = { payloads: unknown[]; pruning: Line[] }

async function askDatabase(url: string, schedule: Schedule): Promise<Diagnosis> {
  const sql = connect(url)
  try {
    const ofInstall = await installProblems(sql)
    if (ofInstall.some(({ severity }) => severity === 'error')) return { problems: ofInstall, trust: [] }
    const ofRuns = await runProblems(sql, schedule)
    const mayAsk = ofRuns.every(({ problem }) => problem !== 'not_permitted')
    return { problems: [...ofInstall, ...ofRuns], trust: mayAsk ? await trustLines(sql) : [] }
  } catch (error) {
    const [, detail = '', remedy = "see the server's log"] =
      /^error: (.*?)(?:\nhint: (.*))?$/s.exec(describeError(error)) ?? []
    return {
      problems: [
        { severity: 'error', problem: 'database_not_usable', subject: 'DATABASE_URL', detail, remedy },
      ],
      trust: [],
    }
  } finally {
    await sql.end({ timeout: 1 })
  }
}

async function trustLines(sql: Sql): Promise<string[]> {
  const json = await readStatus(sql, 0).catch((error) => {
    if (error.code !== '42501') throw error
    return null // whoever looks for problems need not be a reader
  })
  if (json === null) return []
  const { carrying, business_time_zone }: StatusReport = parseExactly(json)
  return carrying ? describeCarrying(carrying, shownZone(business_time_zone)) : []
}

/** What the database itself knows, for each request that the schedule makes. */
async function runProblems(sql: Sql, { payloads, pruning }: Schedule): Promise<Problem[]> {
  const found = new Map<string, Problem>()
  try {
    for (const payload of payloads.length > 0 ? payloads : [{}]) {
      const problems = await sql<
        Problem[]
      >`select * from nms.find_problems(nms_private.job_payload(${payloadAsText(payload)}))`
      for (const problem of problems) found.set(JSON.stringify(problem), problem)
    }
    return [...found.values(), ...(await workerProblems(sql)), ...(await pruningProblems(sql, pruning))]
  } catch (error) {
    if ((error as { code?: string }).code !== '42501') throw error
    const [role] = await sql<[{ name: string }]>`select quote_ident(current_user) as name`
    return [
      {
        severity: 'error',
        problem: 'not_permitted',
        subject: role.name,
        detail: describeError(error).replace(/^error: /, ''),
        remedy: `psql -f migrations/roles.sql as a superuser, then: grant table_metrics_collector to ${role.name};`,
      },
    ]
  }
}

/** Whoever may not ask is no worker, and before the first one there is nothing to look at. */
async function workerProblems(sql: Sql): Promise<Problem[]> {
  try {
    const problems = await sql<Problem[]>`
      select * from nms_private.find_worker_problems() where to_regnamespace('graphile_worker') is not null
    `
    return problems.length > 0 ? problems : await strangeJobs(sql)
  } catch (error) {
    if (codeOf(error) !== '42501') throw error
    return []
  }
}

/** Nothing of a stranger lies in the schema of graphile-worker. */
async function strangeJobs(sql: Sql): Promise<Problem[]> {
  const found = await readStrangeJobs(sql, 'graphile_worker')
  return found.map(({ task, jobs, remedy }) => ({
    severity: 'warning',
    problem: 'misspelt_task',
    subject: task,
    detail: `${jobs === 1 ? '1 job waits' : `${jobs} jobs wait`} for a task that nobody works on`,
    remedy,
  }))
}

async function pruningProblems(sql: Sql, lines: Line[]): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const { subject, item } of lines) {
    const problem = await pruneProblem(sql, item.payload)
    if (!problem) continue
    problems.push({
      severity: 'error',
      problem: 'malformed_payload',
      subject,
      detail: `${problem}: every such job would be rejected`,
      remedy: `write for example: {keepRuns: "90 days", keepDaily: "5 years"}`,
    })
  }
  return problems
}
