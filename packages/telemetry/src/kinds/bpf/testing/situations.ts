import { activitiesOf, runActivity } from '../../../testing/activities.js'
import type { SituationsOf } from '../../../testing/situations.js'

const PROGRAM = new URL('situation.js', import.meta.url)

/** What the program does with programs. */
export const situations: SituationsOf = {
  options: { bpf: true },
  run: () => runActivity(PROGRAM),
  observe: (facts, events) => {
    const { pid, refused } = facts
    const attached = facts['attached'] as readonly number[]
    const skb = { pid, programType: 'CGROUP_SKB', attachType: 'CGROUP_INET_EGRESS', name: 'skb' }
    const error = (result = 0): object => (result < 0 ? { errno: -result } : {})
    const [link = -1, attach, detach] = attached
    const load = { pid, command: 'PROG_LOAD' }
    return {
      situations: [
        {
          name: 'a program is loaded',
          expected: [{ ...load, programType: 'SOCKET_FILTER', name: 'hello' }],
        },
        {
          name: 'a program is refused',
          expected: [{ ...load, programType: 'CGROUP_SKB', name: 'bad one', errno: -Number(refused) }],
        },
        { name: 'another type is loaded', expected: [{ ...load, programType: 'CGROUP_SKB', name: 'skb' }] },
        ...(link < 0
          ? []
          : [
              {
                name: 'a link to a cgroup',
                expected: [{ ...skb, command: 'LINK_CREATE', linkType: 'CGROUP' }],
              },
              {
                name: 'attached without a link',
                expected: [{ ...skb, command: 'PROG_ATTACH', ...error(attach) }],
              },
              {
                name: 'detached from the cgroup',
                expected: [{ ...skb, command: 'PROG_DETACH', ...error(detach) }],
              },
            ]),
      ],
      seen: activitiesOf(events, 'bpf', pid).map(
        ({ programId: _id, linkId: _link, instructions: _count, ...event }) => event,
      ),
    }
  },
}
