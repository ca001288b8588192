import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import { readable } from '../reading/choice.ts'
import {
  type ComparisonReport,
  describeComparison,
  type FailOn,
  failures,
  readComparison,
} from '../reading/diff.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { dayOrRun, days, readPoint } from '../reading/point.ts'
import { firstOf } from '../reading/tables.ts'
import { print } from '../terminal/output.ts'
import { visible } from '../terminal/visible.ts'
import { addChoiceOptions, type ChoiceOptions, choiceOf, outcomes } from './choice.ts'

interface Options extends ChoiceOptions {
  failOn?: FailOn
  all?: true
  json?: true
}

const changed = outcomes.filter((outcome) => outcome !== 'unchanged')

export function addDiffCommand(program: Command): void {
  addChoiceOptions(program.command('diff'), 'change')
    .description('compare two business days or runs; unless they are named, the last two days')
    .argument('[a]', `a day such as ${days}, or a run such as 41`, dayOrRun)
    .argument('[b]', 'the later one; unless it is named, the last day', dayOrRun)
    .addOption(
      new Option(
        '--fail-on <what>',
        'exit status 1 for a table without a count (missing), or with fewer rows (drop), or any difference',
      ).choices(failures),
    )
    .option('--all', 'show every table, also unchanged ones')
    .option('--json', 'print the comparison as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  table-metrics diff 7d\n  table-metrics diff 2026-10 2026-11\n  table-metrics diff 41 42 --fail-on drop',
    )
    .action((a: string | undefined, b: string | undefined, { failOn, all, json, ...options }: Options) =>
      withDatabase(async (sql) => {
        const find = async (value: string | undefined) =>
          value === undefined ? undefined : await readPoint(sql, value, 'table-metrics diff')
        const [before, after] = [await find(a), await find(b)]
        const choice = choiceOf(options)
        const report = await readComparison(sql, {
          before: before?.run_id,
          after: after?.run_id,
          failOn,
          choice: json ? choice : { ...(!all && { only: changed }), ...readable({ choice, all }) },
        })
        const comparison = parseExactly<ComparisonReport>(report)
        print(
          json
            ? report
            : describeComparison(comparison, { asked: [before?.asked, after?.asked], choice, all }),
        )
        const { verdict, failing } = comparison
        if (verdict !== 'failed') return
        const [names, more] = firstOf(failing.map(visible), (n) => `${n} more`, !process.stderr.isTTY)
        console.error([...names, ...more].join('\n'))
        process.exitCode = 1
      }),
    )
}
