import { parseExactly } from '../reading/exact_json.ts'
import { visible } from '../terminal/visible.ts'
import { linesOf, type MessageBody } from './lines.ts'

/** Slack shows 40,000 characters; nobody reads as many. */
const mostCharacters = 8_000

/** A message as Slack's incoming webhooks take it. */
export function slackBody(body: string): string {
  const [title = '', ...lines] = linesOf(parseExactly<MessageBody>(body), new Date()).map(forSlack)
  const text = [`*${title}*`, ...lines].join('\n')
  return JSON.stringify({
    parse: 'none', // no link where something looks like an address
    text: text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text,
    unfurl_links: false, // a name may look like an address
    unfurl_media: false,
  })
}

/** A line in which nothing is a mention, a link or a command of Slack's, whatever a table is called. */
function forSlack(line: string): string {
  return visible(line)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('://', ':\u2009//') // Slack links addresses by itself: with a thin space it is none
}
