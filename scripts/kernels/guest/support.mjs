/**
 * Reports through which hook each fact is learnt on this kernel, which features of quark-ebpf it has, and which backends
 * can be opened.
 */
import { FEATURE_NAMES, probeFeature } from 'quark-ebpf'
import { BACKEND_NAMES, Quark } from 'quark-telemetry'

const features = FEATURE_NAMES.map((name) => {
  const { supported, reason } = probeFeature(name)
  return { name, supported, reason: reason?.message }
})

async function openEverything() {
  const options = { threads: true, failedExecs: true, usage: true }
  const refused = []
  for (;;) {
    try {
      const quark = await Quark.open(options)
      const { attached, missing } = quark.capabilities
      await quark.close()
      return { attached, missing: [...missing, ...refused] }
    } catch (error) {
      const { option, message, advice } = error
      if (!(option in options))
        return { attached: [], missing: [{ fact: 'everything', reason: `${message}` }] }
      // What is asked for and cannot be had is an error.
      refused.push({ fact: option, reason: `${advice}` })
      delete options[option]
    }
  }
}

/** For each backend why it cannot be opened, or null. */
async function refusals() {
  const found = {}
  for (const backend of BACKEND_NAMES) {
    try {
      const quark = await Quark.open({ backends: [backend] })
      await quark.close()
      found[backend] = null
    } catch (error) {
      found[backend] = `${error.message}`
    }
  }
  return found
}

console.log(
  `@@support ${JSON.stringify({ features, ...(await openEverything()), refusals: await refusals() })}`,
)
