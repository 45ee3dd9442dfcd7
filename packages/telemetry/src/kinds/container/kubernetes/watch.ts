/** The pods of a node by list and watch, as https://kubernetes.io/docs/reference/using-api/api-concepts/ has it. */

import type { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { itemsOf, membersOf, textOf } from '../details.js'
import type { Reports } from '../reports.js'
import { ask, type Asked, askJson, linesOf } from '../runtimes/http.js'
import { type Asking, RuntimeProblem } from '../runtimes/runtime.js'
import { type KubeApi, kubeApi } from './config.js'
import { clusterOf, type PodReport, podReportOf } from './pods.js'

/** Most pods of a page of the list. */
const PAGE = 250
const MAX_PAGES = 64
/** Pods beyond that are not reported: a node has some hundred. */
const MOST_PODS = 4096
/** The server ends a watch after this time, so that a connection that is dead is noticed. */
const WATCH_S = 300
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** What a watch says when it cannot go on where it was: the list is to be asked for again. */
const GONE = 410

/** Watches the pods of this node until it is closed. */
export function watchOf(file: string | undefined, reports: Reports): Asking {
  const watch = new PodWatch(kubeApi(file), reports)
  void watch.run()
  return watch
}

/** Follows the pods of one node. */
export class PodWatch implements Asking {
  readonly #api: KubeApi
  readonly #reports: Reports
  readonly #stop = new AbortController()
  readonly #agent: Agent
  /** What was reported last of each pod, by uid: most changes of pods change nothing that is reported. */
  readonly #known = new Map<string, string>()
  #pauseMs: number

  constructor(api: KubeApi, reports: Reports, firstPauseMs = FIRST_PAUSE_MS) {
    this.#api = api
    this.#reports = reports
    this.#pauseMs = firstPauseMs
    const keep = { keepAlive: true, maxSockets: 4 }
    // Loaded when it is needed: that takes some ms of a start.
    const isSecure = api.url.protocol === 'https:'
    const http = isSecure ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http')
    this.#agent = new http.Agent(keep)
  }

  /** Lists and watches, and begins again after whatever happens. */
  async run(): Promise<void> {
    const { signal } = this.#stop
    const firstPauseMs = this.#pauseMs
    while (!signal.aborted) {
      try {
        let version: string | undefined = await this.#list()
        this.#reports.works(this.#api.name)
        this.#pauseMs = firstPauseMs
        while (version !== undefined && !signal.aborted) version = await this.#watch(version)
      } catch (error) {
        if (signal.aborted) return
        this.#reports.problem(this.#api.name, error)
      }
      await sleep(this.#pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
    }
  }

  close(): void {
    this.#stop.abort()
    this.#agent.destroy()
  }

  /** Takes in all pods; returns the version from which to watch. */
  async #list(): Promise<string> {
    await this.#version()
    const there = new Set<string>()
    let next: string | undefined
    let version = ''
    for (let page = 0; page < MAX_PAGES; page++) {
      const more = next === undefined ? '' : `&continue=${encodeURIComponent(next)}`
      const { status, body } = await askJson(this.#at(`limit=${PAGE}${more}`), this.#stop.signal)
      if (status !== 200) throw problemOf(status, body)
      const list = membersOf(body)
      for (const item of itemsOf(list['items'])) {
        const report = podReportOf(item)
        if (report === undefined) continue
        there.add(report.pod.uid)
        this.#take(report)
      }
      const metadata = membersOf(list['metadata'])
      version = textOf(metadata['resourceVersion']) ?? ''
      next = textOf(metadata['continue'], 65_536)
      if (next === undefined) break
    }
    // Those that went while nobody watched.
    for (const uid of this.#known.keys()) if (!there.has(uid)) this.#gone(uid)
    return version
  }

  async #version(): Promise<void> {
    const { status, body } = await askJson(
      { ...this.#at(''), path: this.#path('/version') },
      this.#stop.signal,
    )
    if (status === 200) this.#reports.cluster(clusterOf(body))
  }

  /** Follows changes until the server ends it; returns the version to go on from, undefined if a list is needed. */
  async #watch(from: string): Promise<string | undefined> {
    let version = from
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${WATCH_S}&resourceVersion=${encodeURIComponent(from)}`
    // A server that ends nothing is dead.
    const limit = AbortSignal.any([this.#stop.signal, AbortSignal.timeout((WATCH_S + 30) * 1000)])
    const response = await ask(this.#at(query), limit)
    if (response.statusCode !== 200) {
      response.destroy()
      if (response.statusCode === GONE) return undefined
      throw problemOf(response.statusCode ?? 0, undefined)
    }
    for await (const line of linesOf(response)) {
      const { type, object } = membersOf(parsed(line))
      if (type === 'ERROR') {
        const { code } = membersOf(object)
        if (code === GONE) return undefined
        throw problemOf(typeof code === 'number' ? code : 0, object)
      }
      version = textOf(membersOf(membersOf(object)['metadata'])['resourceVersion']) ?? version
      if (type === 'BOOKMARK') continue
      const report = podReportOf(object)
      if (report === undefined) continue
      if (type === 'DELETED') this.#gone(report.pod.uid)
      else this.#take(report)
    }
    return version
  }

  #take(report: PodReport): void {
    const { pod, containers } = report
    const text = JSON.stringify([pod, containers])
    const known = this.#known.get(pod.uid)
    if (known === text || (known === undefined && this.#known.size >= MOST_PODS)) return
    this.#known.set(pod.uid, text)
    this.#reports.pod(pod)
    for (const container of containers) this.#reports.container(container)
  }

  #gone(uid: string): void {
    if (this.#known.delete(uid)) this.#reports.podGone(uid)
  }

  #at(query: string): Asked {
    const { url, ca, cert, key, isTrusting = false, node } = this.#api
    const token = this.#api.token()
    const selector = encodeURIComponent(`spec.nodeName=${node}`)
    return {
      isSecure: url.protocol === 'https:',
      // An address of IPv6 has brackets in a URL alone.
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: this.#path(`/api/v1/pods?fieldSelector=${selector}&${query}`),
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      agent: this.#agent,
      ca,
      cert,
      key,
      rejectUnauthorized: !isTrusting,
    }
  }

  #path(path: string): string {
    return this.#api.url.pathname.replace(/\/$/, '') + path
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new RuntimeProblem('a line of it is no JSON')
  }
}

function problemOf(status: number, body: unknown): RuntimeProblem {
  const message = textOf(membersOf(body)['message'])
  const advice = status === 401 || status === 403 ? ' (it needs the right to list and watch pods)' : ''
  return new RuntimeProblem(
    `it answers with status ${status}${message === undefined ? '' : `: ${message}`}${advice}`,
  )
}
