/** What tests of names need of the kernel, and how long they may take. */

import { kernelAtLeast, kernelPreempts } from 'quark-ebpf'

/** How much slower than usual this machine is: guests are emulated. */
export const SLOW: number = Number(process.env['TEST_SLOW'] ?? 1)

/** Programs of cgroups know the current task since 6.1, and since 6.10 where tasks are preempted. */
export const hasCgroups: boolean = kernelAtLeast(kernelPreempts() ? '6.10' : '6.1')

/** They see whether a task or a softirq sends, and what a socket does, since 6.2. */
export const seesSockets: boolean = kernelAtLeast('6.2')

/** The time only ends tests that hang. */
export const LIMIT: { readonly timeout: number; readonly skip: string | false } = {
  timeout: 120_000 * Math.min(SLOW, 5),
  skip: hasCgroups ? false : 'needs programs of cgroups that know their task',
}
