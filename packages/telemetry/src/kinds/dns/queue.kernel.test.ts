import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast } from 'quark-ebpf'
import { SLOW } from '../../names/testing/limit.js'
import { openQuark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import type { QuarkEvent } from '../index.js'
import type { Kind } from '../kind.js'
import { processKind } from '../process/index.js'
import type { DnsEvent } from './events.js'
import { dnsKind } from './index.js'
import { Helper, runCommand } from './testing/watch.js'

const ADDRESS = '127.5.3.4'
const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))
const LIMIT = { timeout: 120_000 * SLOW, skip: kernelAtLeast('5.10') ? false : 'needs Linux 5.10' }

/** The kind as it is where no program of a cgroup works. */
const queued: Kind<typeof dnsKind.options, NonNullable<typeof dnsKind.events>> = {
  ...dnsKind,
  facts: (surroundings) =>
    dnsKind.facts(surroundings).map((fact) => ({ ...fact, rungs: fact.rungs.slice(-1) })),
}

test(
  'without programs of cgroups: what is sent, with the answers of servers of this machine',
  LIMIT,
  async () => {
    await using server = await Helper.start(process.execPath, [SERVER, ADDRESS, '53'])
    const quark = await openQuark(catalogueOf([processKind, cgroupKind, queued] as const), {
      dns: true,
      backends: ['ebpf'],
      ringSizeBytes: 2 ** 24,
    })
    try {
      const { attached, missing } = quark.capabilities
      const own = attached.filter(({ fact }) => fact.startsWith('dns')).map(({ hook }) => hook)
      assert.equal(own.length, 1, JSON.stringify(missing))
      assert.match(own[0] ?? '', /net_dev_queue/)
      const lacking = missing.find(({ fact }) => fact === 'dnsMessages.received')
      assert.match(lacking?.reason ?? '', /answers of other machines/)
      const code = `const r = new (require('dns').promises.Resolver)({ timeout: ${5000 * SLOW}, tries: 1 }); r.setServers(['${ADDRESS}'])
      ;(async () => { for (const name of ['www.test', 'long.test', 'none.test']) await r.resolve4(name).catch(() => {}) })()`
      const { pid } = await runCommand(process.execPath, ['-e', code])
      await sleep(100)
      const events = (quark.finish() as readonly QuarkEvent[]).filter(
        (event): event is DnsEvent & QuarkEvent => event.kind === 'dns' && event.serverIp === ADDRESS,
      )
      const seen = events.map((event) => {
        assert.deepEqual([event.direction, event.pid, event.process?.pid], ['outbound', pid, pid])
        assert.ok(event.netNs !== undefined)
        return [event.actions.join('+'), event.transport, event.name, event.rcode, event.serverPid]
      })
      const both = (name: string, rcode: string) => ['query+answer', 'udp', name, rcode, server.pid]
      // The question over TCP that follows the second one is missing, and said to be.
      assert.deepEqual(seen, [
        both('www.test', 'NOERROR'),
        both('long.test', 'NOERROR'),
        both('none.test', 'NXDOMAIN'),
      ])
      assert.equal(quark.stats().lost, 0)
    } finally {
      await quark.close()
    }
  },
)
