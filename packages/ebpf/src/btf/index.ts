export { Btf } from './btf.js'
export { chooseOffsets, type OffsetChoice } from './offsets-choose.js'
export { offsetEntryBtf } from './offsets-encode.js'
export { btfArchitecture, makeOffsetEntry } from './offsets-make.js'
export {
  type OffsetEntry,
  type OffsetMember,
  type OffsetParameters,
  type OffsetStruct,
  type OffsetTable,
  type OffsetType,
  offsetTableText,
  parseOffsetTable,
} from './offsets.js'
export * from './types.js'
