import test from 'ava'
import { HANDSHAKES_PER_TURN } from '../src/limits.ts'
import { type Runnable, TurnQueue } from '../src/reactor/turn-queue.ts'

test('each has one step a turn, slow ones only so many, and nobody is forgotten', (t) => {
  const queue = new TurnQueue()
  const said: string[] = []
  const runnable = (name: string, again?: (self: Runnable) => void): Runnable => {
    const self: Runnable = {
      isQueued: false,
      step: () => {
        said.push(name)
        again?.(self)
      },
    }
    return self
  }
  const handshakes = Array.from({ length: 3 }, (_, index) => runnable(`handshake ${index}`))
  for (const handshake of handshakes) queue.runSlow(handshake)
  for (const handshake of handshakes) queue.runSlow(handshake)
  const bulk = runnable('bulk', (self) => queue.run(self))
  queue.run(bulk)
  queue.run(bulk)
  queue.flushLater({ flush: () => said.push('flushed') })
  t.is(HANDSHAKES_PER_TURN, 1)
  const turns: string[][] = []
  for (let turn = 0; turn < 4; turn++) {
    t.false(queue.isIdle)
    queue.turn()
    turns.push(said.splice(0))
  }
  t.deepEqual(turns, [['bulk', 'handshake 0', 'flushed'], ['bulk', 'handshake 1'], ['bulk', 'handshake 2'], ['bulk']])
})

test('when all have had their turn there is nothing to do', (t) => {
  const queue = new TurnQueue()
  t.true(queue.isIdle)
  queue.runSlow({ isQueued: false, step: () => undefined })
  t.false(queue.isIdle)
  queue.turn()
  t.true(queue.isIdle)
})
