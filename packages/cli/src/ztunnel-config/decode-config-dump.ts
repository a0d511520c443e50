import type { JsonObject } from '../json.ts'
import { asList, asObject, asText, asTexts } from '../json.ts'
import type {
  ConfigDump,
  DumpedCertificate,
  DumpedConnection,
  DumpedIdentity,
  DumpedPod,
  DumpedPolicy,
  DumpedService,
  DumpedWorkload,
} from './config-dump.types.ts'

/** Reads a dump of ours or of upstream's ztunnel. Unknown members are ignored, missing ones are empty. */
export function decodeConfigDump(value: unknown): ConfigDump {
  const dump = asObject(value)
  return {
    workloads: asList(dump['workloads']).map((item) => workload(asObject(item))),
    services: asList(dump['services']).map((item) => service(asObject(item))),
    policies: asList(dump['policies']).map((item) => policy(asObject(item))),
    certificates: asList(dump['certificates']).map((item) => identity(asObject(item))),
    pods: Object.entries(asObject(dump['workloadState'])).map(([uid, item]) => pod(uid, asObject(item))),
  }
}

function workload(item: JsonObject): DumpedWorkload {
  return {
    raw: item,
    uid: asText(item['uid']),
    name: asText(item['name']),
    namespace: asText(item['namespace']),
    addresses: asTexts(item['workloadIps']),
    node: asText(item['node']),
    waypoint: asText(asObject(item['waypoint'])['destination']),
    protocol: asText(item['protocol']),
    status: asText(item['status']),
    serviceAccount: asText(item['serviceAccount']),
  }
}

function service(item: JsonObject): DumpedService {
  const endpoints = Object.entries(asObject(item['endpoints']))
  return {
    raw: item,
    name: asText(item['name']),
    namespace: asText(item['namespace']),
    hostname: asText(item['hostname']),
    vips: asTexts(item['vips']),
    cidrVips: asTexts(item['cidrVips']),
    waypoint: asText(asObject(item['waypoint'])['destination']),
    endpointUids: endpoints.map(([key, endpoint]) => asText(asObject(endpoint)['workloadUid']) || key),
  }
}

function policy(item: JsonObject): DumpedPolicy {
  return {
    raw: item,
    name: asText(item['name']),
    namespace: asText(item['namespace']),
    action: asText(item['action']),
    scope: asText(item['scope']),
  }
}

function identity(item: JsonObject): DumpedIdentity {
  return {
    raw: item,
    identity: asText(item['identity']),
    state: asText(item['state']),
    chain: asList(item['certChain']).map((entry) => certificate(asObject(entry))),
    roots: asList(item['rootCerts']).map((entry) => certificate(asObject(entry))),
  }
}

function certificate(item: JsonObject): DumpedCertificate {
  return {
    serialNumber: asText(item['serialNumber']),
    notBefore: asText(item['validFrom']),
    notAfter: asText(item['expirationTime']),
  }
}

function pod(uid: string, item: JsonObject): DumpedPod {
  const info = asObject(item['info'])
  const connections = asObject(item['connections'])
  return {
    raw: item,
    uid,
    name: asText(info['name']),
    namespace: asText(info['namespace']),
    inbound: asList(connections['inbound']).map((entry) => connection(asObject(entry))),
    outbound: asList(connections['outbound']).map((entry) => connection(asObject(entry))),
  }
}

function connection(item: JsonObject): DumpedConnection {
  // Members below `protocol` are ours; upstream's dump lacks them.
  return {
    src: asText(item['src']),
    originalDst: asText(item['originalDst']),
    actualDst: asText(item['actualDst']),
    protocol: asText(item['protocol']),
    sourceIdentity: asText(item['srcIdentity']),
    destinationIdentity: asText(item['dstIdentity']),
    tlsVersion: asText(item['tlsVersion']),
    keyExchange: asText(item['keyExchange']),
  }
}
