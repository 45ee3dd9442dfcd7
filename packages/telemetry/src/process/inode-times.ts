import { add, and, mul, type Scalar } from 'quark-ebpf/probe'

const NS_PER_S = 1_000_000_000
/** From Linux 6.13 on the bit above says whether somebody has looked at the time. */
const NS_MASK = 0x7fff_ffff

/** A time of an inode in ns, of its two parts. */
export function nsOf(seconds: Scalar, ns: Scalar): Scalar {
  return add(mul(seconds, NS_PER_S), and(ns, NS_MASK))
}
