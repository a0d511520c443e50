import type { Sourced } from '@ambit/analyze'
import { ROOT_NAMESPACE } from '@ambit/api'
import type { AuthorizationPolicy, KubeService, MeshContext, Pod, ServiceEntry } from '@ambit/controller/judgement'
import type { Asked } from './asked.types.ts'
import { type CompiledMesh, compileMesh } from './compile/compile-mesh.ts'
import { explain, trace } from './explain.ts'
import type { Answer, Explanation } from './explanation.types.ts'
import { answerOf } from './journey/answer-of.ts'
import { travel } from './journey/travel.ts'
import { MAX_REMEMBERED_CLIENTS } from './limits.ts'
import type { Client } from './names/client.types.ts'
import { findClient } from './names/find-client.ts'
import { findTarget } from './names/find-target.ts'
import { readClient, readTarget } from './names/read-names.ts'
import type { ClientRef, Question, TargetRef } from './question.types.ts'
import { asRunning } from './running/as-running.ts'

export interface MeshModelInput {
  /** Of files, of a cluster, or of both: then files are laid over the cluster. */
  readonly objects: readonly Sourced[]
  /** Text of the mesh's settings. */
  readonly meshConfig?: string | undefined
  readonly rootNamespace?: string | undefined
  readonly domain?: string | undefined
  /** What could not be read, and what is left out for it: part of every explanation. */
  readonly gaps?: readonly string[] | undefined
  /** Whether a Secret that is not among the objects does not exist. */
  readonly knowsSecrets?: boolean | undefined
}

/** The mesh that a set of objects makes: compiled once, and asked as its proxies are. */
export class MeshModel {
  readonly #compiled: CompiledMesh
  readonly #gaps: readonly string[]
  readonly #clients = new Map<string, Client>()

  private constructor(compiled: CompiledMesh, gaps: readonly string[]) {
    this.#compiled = compiled
    this.#gaps = gaps
  }

  static of(input: MeshModelInput): MeshModel {
    const { objects, meshConfig = '', rootNamespace = ROOT_NAMESPACE, domain = 'cluster.local', gaps = [] } = input
    const running = asRunning(objects, { rootNamespace })
    const knowsSecrets = input.knowsSecrets ?? false
    const compiled = compileMesh(running.objects, { meshConfig, rootNamespace, domain, knowsSecrets })
    return new MeshModel(compiled, [...gaps, ...running.notes])
  }

  /** What the control plane could not compile, or a proxy would refuse. */
  get problems(): readonly string[] {
    return this.#compiled.problems
  }

  /** What could not be read, and what was made up. */
  get gaps(): readonly string[] {
    return this.#gaps
  }

  /** Throws UnknownNameError and AmbiguousNameError. */
  ask(question: Question): Answer {
    return answerOf(this.#compiled, this.#asked(question).journey)
  }

  /** The same with all its reasons. */
  explain(question: Question): Explanation {
    return explain(this.#compiled, this.#asked(question), [...this.#gaps, ...this.problems])
  }

  /** An explanation without what is not enforced: for those who ask by the thousand. Throws as {@link ask}. */
  trace(question: Question): Explanation {
    return trace(this.#compiled, this.#asked(question), this.#gaps)
  }

  /** A client as people write it; without a namespace, of the one given. Throws UnknownNameError and AmbiguousNameError. */
  clientNamed(written: string, namespace: string): ClientRef {
    return readClient(this.#compiled.judgement.state, written, namespace)
  }

  /** What is dialled, as people write it. */
  targetNamed(written: string, namespace: string): TargetRef {
    return readTarget(this.#compiled.judgement.state, written, namespace)
  }

  /** Every AuthorizationPolicy, sorted by name. */
  policies(): readonly AuthorizationPolicy[] {
    return sorted(this.#compiled.judgement.state.policies)
  }

  pods(): readonly Pod[] {
    return sorted([...this.#compiled.judgement.state.pods].filter(({ running }) => running))
  }

  services(): readonly KubeService[] {
    return sorted(this.#compiled.judgement.state.services)
  }

  serviceEntries(): readonly ServiceEntry[] {
    return sorted(this.#compiled.judgement.state.serviceEntries)
  }

  /** What the mesh's settings say. */
  get mesh(): MeshContext {
    return this.#compiled.mesh
  }

  /** Service accounts that something runs as, `namespace/name`. */
  accounts(): readonly string[] {
    return [...new Set(this.pods().map(({ namespace, serviceAccount }) => `${namespace}/${serviceAccount}`))].sort()
  }

  #asked(question: Question): Asked {
    const client = this.#client(question)
    const target = findTarget(this.#compiled, question, client)
    return { question, client, target, journey: travel(this.#compiled, client, target, question) }
  }

  #client(question: Question): Client {
    const key = JSON.stringify([question.from, question.sourceIp])
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    const client = findClient(this.#compiled, question)
    if (this.#clients.size < MAX_REMEMBERED_CLIENTS) this.#clients.set(key, client)
    return client
  }
}

function sorted<T extends { readonly namespace: string; readonly name: string }>(all: Iterable<T>): readonly T[] {
  return [...all].sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1))
}
