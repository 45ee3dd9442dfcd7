/** All tails, one file each: how it lies in a record, and the code that fills it. */

export { type DecodedPath, decodePath, type EncodablePath, path, type PathStruct, pathTail } from './path.js'
export { packetBytes } from './packet-bytes.js'
export { kernelString, stringTail, userString } from './strings.js'
export { bytesTail, kernelBytes, userBytes } from './user-bytes.js'
export { kernelIovec, type KernelIovec, userIovec } from './user-iovec.js'
export { words, wordsTail } from './words.js'
