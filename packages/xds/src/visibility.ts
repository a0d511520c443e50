import type { Audience, ResourceChange, XdsResource } from './resource.types.ts'

/** Whether a client of that audience, undefined for one of none, may know of the resource. */
export function isVisible({ audience }: Pick<XdsResource, 'audience'>, client: string | undefined): boolean {
  return mayKnow(audience, client)
}

/** Whether the client could see the resource before the change; a new one nobody could. */
export function couldSee(
  { formerAudiences }: Pick<ResourceChange, 'formerAudiences'>,
  name: string,
  client: string | undefined,
): boolean {
  return mayKnow(formerAudiences?.get(name), client)
}

function mayKnow(audience: Audience, client: string | undefined): boolean {
  return audience === undefined || (client !== undefined && audience.includes(client))
}
