import { type Command, Option } from 'commander'
import { withDatabase } from '../connection/with_database.ts'
import {
  type ComparisonReport,
  describeComparison,
  type FailOn,
  failures,
  readComparison,
} from '../reading/diff.ts'
import { parseExactly } from '../reading/exact_json.ts'
import { dayOrRun, readRunId } from '../reading/point.ts'
import { print } from '../terminal/output.ts'
import { visible } from '../terminal/visible.ts'

interface Options {
  failOn?: FailOn
  all?: true
  json?: true
}

export function addDiffCommand(program: Command): void {
  program
    .command('diff')
    .description('compare two business days or runs; unless they are named, the last two days')
    .argument('[a]', 'a day such as 2026-11-19, today or yesterday, or a run such as 41', dayOrRun)
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
      '\nExample:\n  table-metrics diff yesterday today\n  table-metrics diff 41 42 --fail-on drop',
    )
    .action((a: string | undefined, b: string | undefined, { failOn, all, json }: Options) =>
      withDatabase(async (sql) => {
        const find = (value: string) => readRunId(sql, value, 'table-metrics diff')
        const before = a && (await find(a))
        const after = b && (await find(b))
        const report = await readComparison(sql, { before, after, failOn })
        const comparison = parseExactly<ComparisonReport>(report)
        print(json ? report : describeComparison(comparison, all))
        const { verdict, failing } = comparison
        if (verdict !== 'failed') return
        console.error(
          `--fail-on ${failOn}: ${failing.slice(0, 5).map(visible).join(', ')}${failing.length > 5 ? ', …' : ''}`,
        )
        process.exitCode = 1
      }),
    )
}
