/** xDS resource types exchanged between control plane and proxies. */
export const TYPE_URLS = {
  address: 'type.googleapis.com/istio.workload.Address',
  workload: 'type.googleapis.com/istio.workload.Workload',
  authorization: 'type.googleapis.com/istio.security.Authorization',
  waypointSettings: 'type.googleapis.com/ambit.waypoint.Settings',
  credential: 'type.googleapis.com/ambit.waypoint.Credential',
  destination: 'type.googleapis.com/ambit.waypoint.Destination',
  trafficPolicy: 'type.googleapis.com/ambit.waypoint.TrafficPolicy',
  subsetMember: 'type.googleapis.com/ambit.waypoint.SubsetMember',
  httpAuthorization: 'type.googleapis.com/ambit.waypoint.HttpAuthorization',
} as const
