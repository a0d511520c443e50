/** A part of the mesh as an IstioOperator names it. */
export interface Component {
  /** Key below `spec.components`. */
  readonly key: ComponentKey
  /** Value of the label `operator.istio.io/component`. */
  readonly label: string
  readonly chart: string
  /** Line when it is ready. */
  readonly done: string
  readonly title: string
  /** Its part of `spec.values`. */
  readonly valuesRoot: readonly string[]
}

export type ComponentKey = 'base' | 'pilot' | 'cni' | 'ztunnel' | 'ingressGateways' | 'egressGateways'

const component = (
  key: ComponentKey,
  label: string,
  chart: string,
  title: string,
  icon: string,
  valuesRoot: readonly string[],
): Component => ({ key, label, chart, title, done: `${title} installed ${icon}`, valuesRoot })

/** In the order they are installed and told: gateways need the controller, ztunnel needs the node agent. */
export const COMPONENTS: readonly Component[] = [
  component('base', 'Base', 'base', 'Istio core', '⛵️', ['base']),
  component('pilot', 'Pilot', 'istiod', 'Istiod', '🧠', ['pilot']),
  component('cni', 'Cni', 'cni', 'CNI', '🪢', ['cni']),
  component('ingressGateways', 'IngressGateways', 'gateway', 'Ingress gateways', '🛬', [
    'gateways',
    'istio-ingressgateway',
  ]),
  component('egressGateways', 'EgressGateways', 'gateway', 'Egress gateways', '🛫', [
    'gateways',
    'istio-egressgateway',
  ]),
  component('ztunnel', 'Ztunnel', 'ztunnel', 'Ztunnel', '🔒', ['ztunnel']),
]

export function isGateway({ key }: Component): boolean {
  return key === 'ingressGateways' || key === 'egressGateways'
}
