import test from 'ava'
import { estimatedPart, formatMarkedCount, marked } from '../../src/reading/marked_count.ts'

const estimate = {
  method: 'estimate',
  row_count: '1234000',
  row_count_low: '1200000',
  row_count_high: '1270000',
}

test('an estimate has its mark and its range', (t) => {
  t.is(formatMarkedCount(estimate), '≈ 1,234,000 (1,200,000 to 1,270,000)')
})

test('an estimate whose range begins at no rows has its range all the same', (t) => {
  t.is(formatMarkedCount({ ...estimate, row_count: '0', row_count_low: '0' }), '≈ 0 (0 to 1,270,000)')
})

for (const method of [undefined, 'exact', 'carried', 'maintained', 'imported']) {
  test(`a count is just that: ${method ?? 'without a method'}`, (t) => {
    t.is(formatMarkedCount({ row_count: '1234567', method }), '1,234,567')
  })
}

test('no count, nothing', (t) => {
  t.is(formatMarkedCount({ ...estimate, row_count: null }), '')
})

test('what is made of an estimate has its mark; nothing stays nothing', (t) => {
  t.is(marked('+12', { method: 'exact' }, estimate), '≈ +12')
  t.is(marked('+12', { method: 'exact' }, { method: 'carried' }), '+12')
  t.is(marked('', estimate), '')
})

test('a total says how much of it is estimated, if anything is', (t) => {
  t.is(estimatedPart('1234000'), 'of which ≈ 1,234,000 are estimated')
  t.is(estimatedPart('0'), '')
  t.is(estimatedPart(undefined), '')
})
