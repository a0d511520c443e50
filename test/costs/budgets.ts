/** The most a unit of work may cost. */
export type Budget = Readonly<Record<string, number>>

/**
 * About a fifth above what was measured when the number was written here. Whoever makes something cheaper lowers its number; whoever has a
 * reason to make it dearer says so in the change that raises it.
 */
export const TUNNEL_BUDGETS: Readonly<Record<string, Budget>> = {
  // Measured: 5,800; 12.0; 90,000; 16.1; 16,100. What a connection allocates varies by a third from run to run.
  'node:http2': {
    'round trip: bytes allocated': 7_000,
    'round trip: system calls': 15,
    'connection: bytes allocated': 160_000,
    'connection: system calls': 34,
    'idle connection: bytes held': 19_000,
  },
  // Measured: 7,700; 12.7; 50,000; 16.1; 16,300.
  framed: {
    'round trip: bytes allocated': 9_200,
    'round trip: system calls': 17,
    'connection: bytes allocated': 100_000,
    'connection: system calls': 34,
    'idle connection: bytes held': 19_500,
  },
  // Measured: 1,270; 14.0; 45,000; 29.4; 5,400, most of it the application's and its client's. System calls are the workers', too; bytes are this thread's.
  reactor: {
    'round trip: bytes allocated': 2_200,
    'round trip: system calls': 17,
    'connection: bytes allocated': 75_000,
    'connection: system calls': 48,
    'idle connection: bytes held': 6_500,
  },
}

/** By how many policies are in force for one destination: a verdict looks at one rule, however many there are. */
export const VERDICT_BUDGETS: ReadonlyMap<number, Budget> = new Map([
  [1, { 'verdict: bytes allocated': 2_400, 'verdict: rules looked at': 1 }],
  [100, { 'verdict: bytes allocated': 2_400, 'verdict: rules looked at': 1 }],
  [10_000, { 'verdict: bytes allocated': 2_400, 'verdict: rules looked at': 1 }],
])
