export { Btf } from './btf.js'
export * from './types.js'
