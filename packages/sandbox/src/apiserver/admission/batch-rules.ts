import type { KubeObject } from '../contract.types.ts'
import { isObject, type JsonObject, objectOf } from '../json.ts'
import type { KindRules } from '../resources/kind-rules.types.ts'
import { validateCronJob, validateJob } from '../validation/batch.ts'
import { defaultPodSpec } from './pod-defaults.ts'
import { defaultTemplate, specOf } from './workload-rules.ts'

/** Labels by which a Job knows its pods; the ones without a domain are from before 1.27 and still read. */
const JOB_UID = 'batch.kubernetes.io/controller-uid'
const JOB_NAME = 'batch.kubernetes.io/job-name'
/** "No limit" where each index has its own. */
const MAX_INT32 = 2_147_483_647

/** Job and CronJob. */
export const BATCH_RULES: Readonly<Record<string, KindRules>> = {
  'batch/Job': {
    defaults(job, old) {
      const spec = specOf(job)
      defaultTemplate(spec)
      if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1
      spec['parallelism'] ??= 1
      spec['backoffLimit'] ??= spec['backoffLimitPerIndex'] === undefined ? 6 : MAX_INT32
      spec['completionMode'] ??= 'NonIndexed'
      spec['suspend'] ??= false
      spec['manualSelector'] ??= false
      spec['podReplacementPolicy'] ??= spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed'
      if (old === undefined && spec['manualSelector'] !== true) selectOwnPods(job, spec)
    },
    validate: validateJob,
  },
  'batch/CronJob': {
    defaults(cronJob) {
      const spec = specOf(cronJob)
      spec['concurrencyPolicy'] ??= 'Allow'
      spec['suspend'] ??= false
      spec['successfulJobsHistoryLimit'] ??= 3
      spec['failedJobsHistoryLimit'] ??= 1
      const pod = objectOf(objectOf(objectOf(spec['jobTemplate'])['spec'])['template'])['spec']
      if (isObject(pod)) defaultPodSpec(pod)
    },
    validate: validateCronJob,
  },
}

/** A Job's selector is its own uid, which the template carries as a label. */
function selectOwnPods(job: KubeObject, spec: JsonObject): void {
  const { uid = '', name = '' } = job.metadata
  const template = objectOf(spec['template'])
  spec['template'] = template
  const metadata = objectOf(template['metadata'])
  template['metadata'] = metadata
  const own = { [JOB_UID]: uid, [JOB_NAME]: name, 'controller-uid': uid, 'job-name': name }
  const labels = { ...(objectOf(metadata['labels']) as Record<string, string>), ...own }
  metadata['labels'] = labels
  spec['selector'] ??= { matchLabels: { [JOB_UID]: uid } }
  if (Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels }
}
