import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { ClosedError } from '../errors.js'
import { BPF_PROG_TYPE_SOCKET_FILTER } from '../program/types.js'
import { Poller } from '../sys/poller.js'
import { Counter } from '../testing/counter.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { openProcConnector, PROC_EVENT_EXEC, PROC_EVENT_EXIT, type ProcConnector } from './proc-connector.js'
import { attachSocketFilter } from './socket-filter.js'

expectNoLeaks()

const WHAT_AT = 36
/** After `what`, `cpu` and a u64 of time, `struct proc_event` has pid and tgid of the process. */
const TGID_AT = WHAT_AT + 20

/** The kinds of events of one process, until its exit. */
async function eventsOf(connector: ProcConnector, poller: Poller, pid: number): Promise<number[]> {
  const buffer = new Uint8Array(256)
  const view = new DataView(buffer.buffer)
  const kinds: number[] = []
  while (kinds.at(-1) !== PROC_EVENT_EXIT) {
    const lengthBytes = connector.receive(buffer)
    if (lengthBytes === 0) {
      assert.equal(await poller.wait(-1), true)
    } else if (view.getUint32(TGID_AT, true) === pid) {
      kinds.push(view.getUint32(WHAT_AT, true))
    }
  }
  return kinds
}

kernelTest('the connector is silent until it listens, and then reports execs and exits', '4.18', async () => {
  using connector = openProcConnector()
  using poller = new Poller([connector.fd])
  spawnSync('true')
  assert.equal(connector.receive(new Uint8Array(256)), 0)
  connector.listen()
  const { pid } = spawnSync('true')
  const kinds = await eventsOf(connector, poller, pid)
  assert.ok(kinds.includes(PROC_EVENT_EXEC))
  assert.equal(connector.overruns, 0)
})

kernelTest('the connector selects events in the kernel', '6.6', async () => {
  using connector = openProcConnector()
  using poller = new Poller([connector.fd])
  connector.listen(PROC_EVENT_EXIT)
  const { pid } = spawnSync('true')
  assert.deepEqual(await eventsOf(connector, poller, pid), [PROC_EVENT_EXIT])
})

kernelTest('a filter runs for each message and can drop it', '4.18', () => {
  using counter = new Counter({ type: BPF_PROG_TYPE_SOCKET_FILTER })
  using connector = openProcConnector()
  using link = attachSocketFilter(counter.program, connector.fd)
  assert.equal(link.kind, 'socketFilter')
  connector.listen()
  spawnSync('true')
  assert.ok(counter.count >= 2)
  assert.equal(connector.receive(new Uint8Array(256)), 0)

  link.close()
  const atClose = counter.count
  spawnSync('true')
  assert.equal(counter.count, atClose)
  assert.ok(connector.receive(new Uint8Array(256)) > 0)
})

kernelTest('a link to a socket that is closed closes quietly', '4.18', () => {
  using counter = new Counter({ type: BPF_PROG_TYPE_SOCKET_FILTER })
  const connector = openProcConnector()
  const link = attachSocketFilter(counter.program, connector.fd)
  connector.close()
  connector.close()
  link.close()
  assert.throws(() => connector.listen(), ClosedError)
  assert.throws(() => connector.receive(new Uint8Array(1)), ClosedError)
})
