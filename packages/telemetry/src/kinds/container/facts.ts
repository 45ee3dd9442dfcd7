/** Facts about containers: what runtimes and Kubernetes say, whichever backend reports processes. */

import { QuarkError } from '../../errors.js'
import type { Fact } from '../../facts/fact.js'
import type { Source, SourceContext, SourceRung } from '../../facts/rungs.js'
import type { Inquiries } from '../../process/details.js'
import type { Surroundings } from '../kind.js'
import { Asker } from './asker.js'
import { framesOf } from './kubernetes/frames.js'
import { watchOf } from './kubernetes/watch.js'
import type { ContainerSettings } from './options.js'
import {
  clusterLayout,
  containerLayout,
  podGoneLayout,
  podLayout,
  problemLayout,
  usersLayout,
} from './records.js'
import { Reports } from './reports.js'
import type { Asking } from './runtimes/runtime.js'
import { findRuntimes } from './runtimes/sockets.js'
import type { AskedUsers } from './users/asked.js'
import { UsersAsker } from './users/users-asker.js'

const RECORDS = [containerLayout, podLayout, podGoneLayout, clusterLayout, usersLayout, problemLayout]

export function containerFacts({ settings, inquiries }: Surroundings<ContainerSettings>): Fact[] {
  const { containers, containerSocket, containerUsers, kubernetes, kubeconfig, kubeFrames } = settings
  const facts: Fact[] = []
  if (containers)
    facts.push(fact('containers', 'runtimes', (reports) => runtimes(containerSocket, reports, inquiries)))
  if (containerUsers) facts.push(fact('containerUsers', 'files', (reports) => usersBy(reports, inquiries)))
  if (kubernetes || kubeconfig !== undefined)
    facts.push(fact('kubernetes', 'api', (reports) => watchOf(kubeconfig, reports)))
  if (kubeFrames !== undefined)
    facts.push(fact('kubeFrames', 'frames', (reports) => framesOf(kubeFrames, reports)))
  return facts
}

function runtimes(socket: string | undefined, reports: Reports, inquiries: Inquiries | undefined): Asking {
  const { runtimes: found, reason } = findRuntimes(socket)
  if (found.length === 0) throw new QuarkError('ERR_QUARK_SYSTEM', reason)
  const asker = new Asker(found, reports)
  if (inquiries !== undefined) inquiries.asked = (id, runtime) => asker.want(id, runtime)
  return asker
}

function usersBy(reports: Reports, inquiries: Inquiries | undefined): Asking {
  const asker = new UsersAsker(reports)
  if (inquiries !== undefined) inquiries.askedUsers = (asked) => asker.ask(asked as AskedUsers)
  return asker
}

function fact(name: string, hook: string, open: (reports: Reports) => Asking): Fact {
  const rung: SourceRung = {
    by: 'source',
    hook: `containers/${hook}`,
    flavor: 'answers',
    fills: RECORDS,
    open: (context) => sourceOf(context, open),
  }
  return { name, required: false, rungs: [rung] }
}

function sourceOf(context: SourceContext, open: (reports: Reports) => Asking): Source {
  const reports = new Reports(context)
  let asking: Asking
  try {
    asking = open(reports)
  } catch (error) {
    reports.close()
    throw error
  }
  return {
    fds: [reports.readiness.fd],
    read: () => reports.read(),
    stop: () => asking.close(),
    close: () => {
      asking.close()
      reports.close()
    },
  }
}
