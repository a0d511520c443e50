import type { TokenVerdict } from '@ambit/kube'
import { FakeClock, settle } from '@ambit/testing'
import test from 'ava'
import { TokenAuthenticator } from '../src/ca/token-authenticator.ts'
import { MAX_REVIEWS_IN_FLIGHT, MAX_REVIEWS_WAITING, TOKEN_CACHE_SIZE } from '../src/limits.ts'

const caller = { namespace: 'n', serviceAccount: 's', podName: undefined, podUid: undefined }
const known: TokenVerdict = { authenticated: true, caller }

test('so many tokens are under review at once, the others wait their turn', async (t) => {
  const reviews: ((verdict: TokenVerdict) => void)[] = []
  const tokens = new TokenAuthenticator({
    clock: new FakeClock(),
    review: () => new Promise((resolve) => void reviews.push(resolve)),
  })
  const asked = Array.from({ length: MAX_REVIEWS_IN_FLIGHT + 10 }, (_, index) => tokens.authenticate(String(index)))
  await settle()
  t.is(reviews.length, MAX_REVIEWS_IN_FLIGHT)
  for (let index = 0; index < asked.length; index++) {
    reviews[index]?.(known)
    await settle()
  }
  t.true((await Promise.all(asked)).every(({ authenticated }) => authenticated))
})

test('of more tokens than may wait the last is refused, and tried when there is room', async (t) => {
  const reviews: ((verdict: TokenVerdict) => void)[] = []
  const tokens = new TokenAuthenticator({
    clock: new FakeClock(),
    review: () => new Promise((resolve) => void reviews.push(resolve)),
  })
  const room = MAX_REVIEWS_IN_FLIGHT + MAX_REVIEWS_WAITING
  for (let index = 0; index < room; index++) void tokens.authenticate(String(index))
  const refused = await tokens.authenticate('one more')
  t.false(refused.authenticated)
  // Who asks with a token that waits already takes no further place.
  const again = tokens.authenticate('0')
  reviews[0]?.(known)
  t.true((await again).authenticated)
  await settle()
  void tokens.authenticate('one more')
  for (let index = 1; index < reviews.length; index++) {
    reviews[index]?.(known)
    await settle()
  }
  t.is(reviews.length, room + 1)
})

test('of more tokens than are remembered the oldest is reviewed again', async (t) => {
  const asked: string[] = []
  const tokens = new TokenAuthenticator({
    clock: new FakeClock(),
    review: (token) => {
      asked.push(token)
      return Promise.resolve(known)
    },
  })
  for (let index = 0; index <= TOKEN_CACHE_SIZE; index++) await tokens.authenticate(String(index))
  asked.length = 0
  await tokens.authenticate(String(TOKEN_CACHE_SIZE))
  await tokens.authenticate('0')
  t.deepEqual(asked, ['0'])
})
