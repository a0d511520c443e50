import { checkGatewayApi } from '../gateway-api-versions.ts'
import type { Analyzer } from '../message.types.ts'

export const gatewayApiVersions: Analyzer = {
  name: 'k8sgateway.CRDVersionAnalyzer',
  summary: 'Whether the CRDs of Gateway API are new enough',
  codes: ['IST0156', 'IST0172', 'IST0176'],
  *analyze(snapshot) {
    for (const about of snapshot.of('apiextensions.k8s.io/CustomResourceDefinition'))
      for (const { code, message } of checkGatewayApi(about.object)) yield { code, about, message }
  },
}
