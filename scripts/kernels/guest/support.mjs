/** Tells through which hook each fact is learnt on this kernel, and which features of @quark/ebpf it has. */
import { FEATURE_NAMES, probeFeature } from '@quark/ebpf'
import { Quark } from 'quark'

const features = FEATURE_NAMES.map((name) => {
  const { supported, reason } = probeFeature(name)
  return { name, supported, reason: reason?.message }
})

async function openEverything() {
  try {
    const quark = await Quark.open({ threads: true, failedExecs: true, usage: true })
    const { attached, missing } = quark.capabilities
    await quark.close()
    return { attached, missing }
  } catch (error) {
    return { attached: [], missing: [{ fact: 'everything', reason: `${error.message}` }] }
  }
}

console.log(`@@support ${JSON.stringify({ features, ...(await openEverything()) })}`)
