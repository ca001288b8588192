import test from 'ava'
import fc from 'fast-check'
import { visible, visibleLines } from '../../src/terminal/visible.ts'

const hidden: Record<string, string[]> = {
  'C0 and DEL': [...Array(32).keys(), 0x7f].map((code) => String.fromCharCode(code)),
  C1: [...Array(32).keys()].map((code) => String.fromCharCode(0x80 + code)),
  'what turns the direction of a line': [
    ...'\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c',
  ],
  'what has no width': [...'\u200b\u200c\u200d\u2060\u2061\u2064\ufeff\u00ad\u034f\u180e\u3164\uffa0'],
  'what ends a line': ['\u2028', '\u2029'],
  'half a character': ['\ud800', '\udfff'],
  'what tags and annotates': ['\u{e0001}', '\u{e0041}', '\u{e007f}', '\ufff9', '\ufffb'],
  'a variant of nothing': [' \ufe0f', 'a\ufe0f\ufe0f', ' \u{e0100}'],
}

for (const [what, samples] of Object.entries(hidden)) {
  test(`${what} is shown as codes that JSON reads back`, (t) => {
    for (const sample of samples) {
      const text = visible(`a${sample}b`)
      t.regex(text, /^(?:[\x20-\x7e]|\ufe0f)*\\u[\x20-\x7e]*$/, JSON.stringify(sample))
      t.is(JSON.parse(`"${text}"`), `a${sample}b`)
    }
  })
}

const ordinary = [
  'public.orders',
  'Ünïcödé e\u0301 a\u0308\u0323',
  '注文 テーブル 表',
  'שלום عالم ١٢٣ \u0600١',
  'می\u200cخواهم', // Persian, with what keeps two letters apart
  'ක්\u200dෂ क्\u200dष', // Sinhala and Devanagari, with what joins them
  '葛\u{e0100}',
  '👨\u200d👩\u200d👧 ❤\ufe0f 👍🏽 🇩🇪 1\ufe0f\u20e3 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
  'C:\\u001b "quoted"',
]

test('ordinary text stays as it is, in any script', (t) => {
  for (const text of ordinary) t.is(visible(text), text)
})

test('what has been made visible stays as it is, and has nothing left that acts on a terminal', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visible(text)
      return visible(shown) === shown && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(shown)
    }),
  )
  t.pass()
})

test('the lines of a message stay lines, and none begins where ours do', (t) => {
  t.is(
    visibleLines('broken\nrun 99: SUCCEEDED\r\n\u001b[1A\rrun 99: SUCCEEDED\n'),
    'broken\n  run 99: SUCCEEDED\n  \\u001b[1A\\u000drun 99: SUCCEEDED',
  )
})
