import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasCgroups, seesSockets, SLOW } from '../../names/testing/limit.js'
import { Quark } from '../../quark.js'

test(
  'what a kernel lacks for names is said: without programs of cgroups that know their task, what is received, TCP, and all of TLS',
  { timeout: 120_000 * SLOW },
  async () => {
    await using quark = await Quark.open({ dns: true, tls: true, backends: ['ebpf'] })
    const { attached, missing } = quark.capabilities
    const isOfNames = ({ fact }: { readonly fact: string }): boolean => /^(dns|tls)/.test(fact)
    const hooks = new Set(attached.filter(isOfNames).map(({ hook }) => hook.replace(/[/:].*/, '')))
    const lacking = missing.filter(isOfNames).map(({ fact }) => fact)
    if (hasCgroups) {
      assert.deepEqual([...hooks].sort(), ['cgroup_skb', 'cgroup_sock_addr'])
      const before62 = seesSockets ? [] : ['dnsMessages.tcpServer', 'tlsReceived.pid']
      assert.deepEqual(lacking, before62)
      return
    }
    assert.deepEqual([...hooks], ['tp_btf'])
    assert.deepEqual([...new Set(lacking)].sort(), [
      'dnsMessages.received',
      'dnsMessages.tcp',
      'tlsHellos',
      'tlsReceived',
    ])
    for (const { reason } of missing.filter(isOfNames)) assert.ok(reason.length > 10)
  },
)
