import test from 'ava'
import { dateOf, dateTicks, dayNumber } from '../../../src/page/charts/days_axis.ts'

const texts = (first: string, last: string) =>
  dateTicks(dayNumber(first), dayNumber(last)).map(({ number, text }) => `${dateOf(number)} ${text}`)

test('a few days each have their date', (t) => {
  t.deepEqual(texts('2026-02-27', '2026-03-01'), [
    '2026-02-27 27 Feb',
    '2026-02-28 28 Feb',
    '2026-03-01 1 Mar',
  ])
})

test('a month has its Mondays, a quarter every other one', (t) => {
  t.deepEqual(texts('2026-11-01', '2026-11-30'), [
    '2026-11-02 2 Nov',
    '2026-11-09 9 Nov',
    '2026-11-16 16 Nov',
    '2026-11-23 23 Nov',
    '2026-11-30 30 Nov',
  ])
  t.is(texts('2026-08-23', '2026-11-20').length, 6)
})

test('a year has first days of months, and says where the next one begins', (t) => {
  t.deepEqual(texts('2025-11-22', '2026-11-21'), [
    '2026-01-01 2026',
    '2026-03-01 Mar',
    '2026-05-01 May',
    '2026-07-01 Jul',
    '2026-09-01 Sept',
    '2026-11-01 Nov',
  ])
})

test('there are never more than nine, however many days', (t) => {
  for (const days of [1, 8, 9, 30, 56, 90, 112, 113, 240, 365, 1000, 3650, 9999]) {
    const ticks = dateTicks(20_000, 20_000 + days - 1)
    t.true(ticks.length >= 1 && ticks.length <= 9, `${days} days: ${ticks.length}`)
  }
})
