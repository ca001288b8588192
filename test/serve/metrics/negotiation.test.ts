import test from 'ava'
import { negotiate } from '../../../src/serve/metrics/negotiation.ts'

const text = 'text/plain; version=0.0.4; charset=utf-8'
const open = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** What Prometheus sends by default: 2.42, and 3. */
const prometheus2 =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const prometheus3 =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1'

for (const [accept, contentType] of [
  [undefined, text],
  ['', text],
  ['*/*', text],
  ['text/html,application/xhtml+xml,*/*;q=0.8', text],
  [prometheus2, open],
  [prometheus3, `${open}; escaping=allow-utf-8`],
  ['application/openmetrics-text', open],
  ['Application/OpenMetrics-Text; Version="1.0.0" ; Q=0.9, text/plain;q=0.8', open],
  ['application/openmetrics-text;q=0.5, text/plain;q=0.6', text],
  ['application/openmetrics-text;q=0.5, text/plain;version=1.0.0', open],
  ['application/openmetrics-text;version=0.0.1', text],
  ['application/openmetrics-text;version=2.0.0, text/plain;q=0.1', text],
  ['application/*, text/plain;q=0.5', open],
  ['application/*;q=0.1, text/plain;q=0.5', text],
  // The more precise range decides, whatever the other one says.
  ['*/*, text/plain;q=0', open],
  ['application/openmetrics-text;q=0, */*', text],
  ['text/plain;q=0, application/openmetrics-text;q=0', text],
  ['application/json', text],
  ['application/openmetrics-text;q=2', text],
  ['application/openmetrics-text;q=', text],
  ['text/plain;version=0.0.4;escaping=dots', `${text}; escaping=dots`],
  ['text/plain;escaping=values\r\nset-cookie: a=b', text],
  ['text/plain;escaping=invented', text],
] as const) {
  test(`Accept: ${accept} gets ${contentType}`, (t) => {
    t.is(negotiate(accept).contentType, contentType)
    t.is(negotiate(accept).isOpenMetrics, contentType.startsWith('application/'))
  })
}
