import { arrayOf, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import { validateAutoscaler, validateDisruptionBudget } from '../validation/scaling.ts'

/** Kubernetes' target where an autoscaler names no metric: 80 % of the processor that was asked for. */
const DEFAULT_UTILIZATION = 80

/** How many pods there should and must be: autoscalers and disruption budgets. */
export const SCALING_RULES: Readonly<Record<string, KindRules>> = {
  'autoscaling/HorizontalPodAutoscaler': {
    defaults(autoscaler, old) {
      const spec = objectOf(autoscaler['spec'])
      autoscaler['spec'] = spec
      spec['minReplicas'] ??= 1
      if (arrayOf(spec['metrics']).length === 0)
        spec['metrics'] = [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: DEFAULT_UTILIZATION } },
          },
        ]
      if (old === undefined) autoscaler['status'] = { currentReplicas: 0, desiredReplicas: 0, currentMetrics: null }
    },
    validate: validateAutoscaler,
  },
  'policy/PodDisruptionBudget': {
    defaults(budget, old) {
      if (old === undefined)
        budget['status'] = { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }
    },
    validate: validateDisruptionBudget,
  },
}
