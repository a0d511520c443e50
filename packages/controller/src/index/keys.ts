// What a compilation can depend on beside its own namespace. Units note the keys they used; a change touches the users of its keys.

/** A Service or ServiceEntry that a policy or route names. */
export function targetKey(kind: 'services' | 'serviceEntries', namespace: string, name: string): string {
  return `target/${kind}/${namespace}/${name}`
}

export function gatewayKey(namespace: string, name: string): string {
  return `gateway/${namespace}/${name}`
}

/** The set of Gateways of a class. */
export function gatewaysOfClassKey(className: string): string {
  return `gateways/${className}`
}

export function classKey(name: string): string {
  return `class/${name}`
}

export function nodeKey(name: string): string {
  return `node/${name}`
}

/** Labels of a namespace, for those who do not live in it. */
export function namespaceKey(name: string): string {
  return `namespace/${name}`
}

/** Who claims a hostname. */
export function hostKey(host: string): string {
  return `host/${host}`
}

/** The ReferenceGrants of a namespace. */
export function grantsKey(namespace: string): string {
  return `grants/${namespace}`
}

/** Waypoints by service account in a namespace, and which account runs what there. */
export function accountsKey(namespace: string): string {
  return `accounts/${namespace}`
}

/** VirtualServices that name a host, a wildcard being one of its own. */
export function virtualHostKey(host: string): string {
  return `virtualHost/${host}`
}

/** A VirtualService that others may delegate to, `namespace/name`. */
export function virtualNameKey(name: string): string {
  return `virtual/${name}`
}

/** VirtualServices bound to an Istio Gateway, `namespace/name`. */
export function virtualGatewayKey(gateway: string): string {
  return `virtualGateway/${gateway}`
}

/** DestinationRules for a host, a wildcard being one of its own. */
export function ruleHostKey(host: string): string {
  return `ruleHost/${host}`
}

/** Routes of a parent. */
export function parentKey(kind: string, namespace: string, name: string): string {
  return `parent/${kind}/${namespace}/${name}`
}

/** A Secret that listeners name. */
export function credentialKey(namespace: string, name: string): string {
  return `credential/${namespace}/${name}`
}

/** Gateways and Services of a namespace, for who asks which Gateways pods serve. */
export function servingKey(namespace: string): string {
  return `serving/${namespace}`
}

/** Which pods are gateways, and what labels they have. */
export const ROUTERS_KEY = 'routers'

/** Policies attached to an object; classes have no namespace. */
export function attachedKey(kind: string, namespace: string, name: string): string {
  return `attached/${kind}/${namespace}/${name}`
}
