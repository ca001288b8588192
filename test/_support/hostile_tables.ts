/** What a schema or a table may be called, and what a page must not make of it: markup, another order, another address. */
export const hostileNames = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  'it\'s "quoted" & more',
  '</table></main><h1>ours',
  'dots.in.a.name',
  'a line\nand another',
  '../../etc/passwd?x=1&y=2#z',
  '%00%2e%2e',
  'javascript:alert(1)',
  '\u202ereversed\u202c',
  '\u0645\u0628\u064a\u0639\u0627\u062a', // right to left
  '\u58f2\u4e0a\u8868',
  'x'.repeat(63),
  '\u5024'.repeat(21), // 63 bytes
  ' ',
]
