import type { Command } from 'commander'
import type { Problem } from '../doctor/doctor.ts'
import { databaseUrl } from '../environment.ts'
import { humanStream, print } from '../terminal/output.ts'
import { visible, visibleLines } from '../terminal/visible.ts'

const shownPerProblem = 10

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      'tell what would make a run fail or its result misleading, and how to mend it; exit status 1 if something must be mended',
    )
    .option('--crontab <file>', 'the schedule to look at; unless given, daily at 05:15 UTC')
    .option('--json', 'print the problems as JSON')
    .addHelpText('after', '\nIt changes nothing.\n\nExample:\n  table-metrics doctor --crontab ./crontab')
    .action(async ({ crontab, json }: { crontab?: string; json?: true }) => {
      const { diagnose } = await import('../doctor/doctor.ts') // loads graphile-worker, which other commands do not need
      const { problems, trust } = await diagnose(databaseUrl(), crontab)
      if (json) print(JSON.stringify(problems, null, 2))
      else {
        const parts = [describeProblems(problems), trust.join('\n')].filter((part) => part !== '')
        humanStream(json).write(`${parts.join('\n\n')}\n`)
      }
      if (problems.some(({ severity }) => severity === 'error')) process.exitCode = 1
    })
}

/** Problems as blocks for a person; of many alike the first ones. */
function describeProblems(problems: Problem[]): string {
  const alike = Map.groupBy(problems, ({ severity, problem }) => `${severity}: ${problem}`)
  const blocks = [...alike].flatMap(([title, group]) => [
    ...group
      .slice(0, shownPerProblem)
      .map(({ subject, detail, remedy }) =>
        [
          `${title}: ${visible(subject)}`,
          `  ${visibleLines(detail)}`,
          '  mend it with:',
          `    ${visibleLines(remedy, '    ')}`,
        ].join('\n'),
      ),
    ...(group.length > shownPerProblem
      ? [`${title}: ${group.length - shownPerProblem} more, see doctor --json`]
      : []),
  ])
  return blocks.length > 0 ? blocks.join('\n\n') : 'nothing to mend'
}
