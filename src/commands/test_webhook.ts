import type { Command } from 'commander'
import { post } from '../deliver/post.ts'
import { readWebhook } from '../deliver/webhook.ts'
import { interruption } from '../terminal/interruption.ts'
import { print } from '../terminal/output.ts'

export function addTestWebhookCommand(program: Command): void {
  program
    .command('test-webhook')
    .description('send a test message to ALERT_WEBHOOK_URL, once; exit status 0 only if it was taken')
    .addHelpText('after', '\nIt needs no database.\n\nExample:\n  table-metrics test-webhook')
    .action(async () => {
      const webhook = readWebhook()
      if (!webhook) {
        throw new Error(
          'ALERT_WEBHOOK_URL is not set: expected a URL such as https://example.com/hooks/alerts',
        )
      }
      const { origin, format, key } = webhook
      const body = {
        type: 'test',
        timestamp: new Date().toISOString(),
        data: { database: null, run: null, opened: [], closed: [], open_alerts: 0 },
      }
      const message = { id: crypto.randomUUID(), body: JSON.stringify(body) }
      await post(webhook, message, interruption()).catch((error) => {
        throw new Error(`${origin} has not taken it: ${error.message}`)
      })
      const form = format === 'slack' ? "in Slack's form" : key ? 'as signed JSON' : 'as JSON, not signed'
      print(`${origin} has taken a test message, ${form}`)
    })
}
