import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCgroups, seesSockets, SLOW } from '../../names/testing/limit.js'
import type { QuarkOptions } from '../index.js'
import { Quark } from '../../quark.js'

const isOfNames = ({ fact }: { readonly fact: string }): boolean => /^(dns|tls)/.test(fact)

/** What is attached, and what is missing, of names. */
async function capabilitiesOf(options: QuarkOptions) {
  await using quark = await Quark.open({ ...options, backends: ['ebpf'] })
  const { attached, missing } = quark.capabilities
  const hooks = attached.filter(isOfNames).map(({ hook }) => hook.replace(/[/:].*/, ''))
  const lacking = missing.filter(isOfNames)
  for (const { reason } of lacking) assert.ok(reason.length > 10)
  return { hooks: [...new Set(hooks)].sort(), lacking: [...new Set(lacking.map(({ fact }) => fact))].sort() }
}

test('what a kernel lacks for names is said', { timeout: 120_000 * SLOW }, async () => {
  if (hasCgroups) {
    assert.deepEqual(await capabilitiesOf({ dns: true, tls: true }), {
      hooks: ['cgroup_skb', 'cgroup_sock_addr'],
      lacking: seesSockets ? [] : ['dnsMessages.tcpServer', 'tlsReceived.pid'],
    })
    return
  }
  // Without programs of cgroups that know their task: what is received, TCP, and all of TLS.
  assert.deepEqual(await capabilitiesOf({ dns: true }), {
    hooks: ['tp_btf'],
    lacking: ['dnsMessages.received', 'dnsMessages.tcp'],
  })
  await assert.rejects(capabilitiesOf({ tls: true }), /"tls" cannot be met/)
})
