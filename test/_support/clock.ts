// Preloaded into a program with `node --import`, this is the clock of its host: CLOCK is the time when it starts.
const real = Date
const offset = real.parse(process.env.CLOCK ?? '') - real.now()

globalThis.Date = new Proxy(real, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [real.now() + offset] : args),
  get: (target, key) => (key === 'now' ? () => real.now() + offset : Reflect.get(target, key)),
})

export {}
