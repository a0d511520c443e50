import { interfaceAddresses, type Netns, readNft, runIp, runNft, ToolError } from '@ambit/linux'
import { REDIRECTION_TABLES, type RedirectOptions, redirectPlan, removalPlan, stopScript } from './redirect.ts'

/** Writes the rules into a pod's namespace, replacing older ones in one step. */
export async function applyRedirection(netns: Netns, options: RedirectOptions): Promise<void> {
  const plan = redirectPlan(options)
  await Promise.all([addRouting(netns, 4, plan.ipv4), addRouting(netns, 6, plan.ipv6), runNft(netns, plan.nft)])
}

/** New connections go their own way from now on; those that are redirected already go on being translated. */
export async function stopRedirecting(netns: Netns): Promise<void> {
  await runNft(netns, stopScript())
}

/** Leaves no rule and no route behind; fine to call when there are none. */
export async function removeRedirection(netns: Netns): Promise<void> {
  const plan = removalPlan()
  await runNft(netns, plan.nft)
  await Promise.all([deleteRouting(netns, 4, plan.ipv4), deleteRouting(netns, 6, plan.ipv6)])
}

/** Whether the rules are there. */
export async function isRedirected(netns: Netns): Promise<boolean> {
  const tables = await readNft(netns, ['list', 'tables'])
  return REDIRECTION_TABLES.every((name) => tables.includes(name))
}

/** Whether the namespace has IPv6 at all, by its loopback. */
export function hasIpv6(netns: Netns): boolean {
  return interfaceAddresses(netns).some(({ ip }) => ip === '::1')
}

async function addRouting(netns: Netns, family: 4 | 6, batch: readonly string[]): Promise<void> {
  try {
    await runIp(netns, batch, { family })
  } catch (error) {
    if (!(error instanceof ToolError) || !error.stderr.includes('File exists')) throw error
  }
}

async function deleteRouting(netns: Netns, family: 4 | 6, batch: readonly string[]): Promise<void> {
  try {
    await runIp(netns, batch, { family, force: true })
  } catch (error) {
    const absent = /No such (file|process)|FIB table does not exist|not supported/
    if (!(error instanceof ToolError) || error.exitCode === undefined || !absent.test(error.stderr)) throw error
  }
}
