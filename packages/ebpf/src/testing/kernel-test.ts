import { existsSync, readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { EbpfError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import type { FeatureResult } from '../kernel/features.js'
import { kernelAtLeast } from '../sys/platform.js'

/**
 * A test against the running kernel. It is left out only on kernels older than `minKernel`: on every other, what
 * is missing is a failure.
 */
export function kernelTest(
  name: string,
  minKernel: string,
  body: (t: TestContext) => void | Promise<void>,
): void {
  const skip = kernelAtLeast(minKernel) ? false : `needs Linux ${minKernel}`
  test(name, { skip }, async (t) => {
    if (process.getuid?.() !== 0) {
      throw new Error('Kernel tests need root: run npm run test:kernel as root')
    }
    await body(t)
  })
}

const ENOTSUPP = 524

/** Whether the kernel was booted so that not even root may read its memory. */
export function isConfidential(): boolean {
  try {
    return readFileSync('/sys/kernel/security/lockdown', 'latin1').includes('[confidentiality]')
  } catch {
    return false
  }
}

/**
 * Why a feature may be missing although the kernel is new enough: a policy refuses it, or it was not compiled in.
 * `undefined` means that there is no excuse.
 */
export function excuseFor(result: FeatureResult): string | undefined {
  const { reason, feature, minKernel } = result
  if (result.supported || !kernelAtLeast(minKernel)) {
    return 'none needed'
  }
  if (reason instanceof KernelError && (reason.code === 'ERR_EBPF_PERMISSION' || reason.errno === ENOTSUPP)) {
    return reason.message
  }
  const absent: Partial<Record<typeof feature, boolean>> = {
    kprobe: !existsSync('/sys/bus/event_source/devices/kprobe'),
    kretprobe: !existsSync('/sys/bus/event_source/devices/kprobe'),
    tracepoint: !existsSync('/sys/kernel/tracing/events') && !existsSync('/sys/kernel/debug/tracing/events'),
    probeReadKernel: isConfidential(),
    lsm: reason instanceof EbpfError && reason.code === 'ERR_EBPF_NOT_SUPPORTED',
  }
  return absent[feature] === true ? reason?.message : undefined
}
