import type { ExprNode, Step } from './nodes.js'

/** A path or expression as a person would write it, for messages and documentation. */
export function describe(node: ExprNode, argumentNames: readonly string[]): string {
  const text = (inner: ExprNode): string => describe(inner, argumentNames)
  switch (node.kind) {
    case 'constant':
      return String(node.value)
    case 'enum':
      return node.valueName
    case 'offset':
      return `offsetof(struct ${node.struct}, ${node.members.join('.')})`
    case 'resolves':
      return `resolves(${node.of.map(text).join(', ')})`
    case 'packet':
      return `packet[${node.offset}..${node.offset + node.size - 1}]`
    case 'user':
      return `user[${text(node.address)} + ${node.offset}..${node.offset + node.size - 1}]`
    case 'helper':
      return `${node.name}(${node.argument === undefined ? '' : text(node.argument)})`
    case 'lookup': {
      const key = node.key.map(text).join(', ')
      if (node.gives === 'presence') return `${node.map.name} has ${key}`
      return `${node.map.name}[${key}]${node.gives.field === '' ? '' : `.${node.gives.field}`}`
    }
    case 'firstOf':
      return node.choices.map(text).join(' ?? ')
    case 'binary':
      return `(${text(node.left)} ${node.op} ${text(node.right)})`
    case 'walk': {
      const { struct, from, steps, until } = node.text
      return `(${text(until)} up to ${steps} struct ${struct} from ${text(from)})`
    }
    case 'firstNonZero':
      return `(${node.choices.map(text).join(' ?: ')})`
    case 'ifThen':
      return `(${text(node.condition)} ? ${text(node.value)})`
    case 'oneOf':
      return `(${text(node.value)} in [${node.numbers.join(', ')}])`
    case 'path': {
      const { root, steps } = node
      if (root.kind === 'argument') return steps.reduce(stepText, argumentNames[root.index] ?? '?')
      const start = root.kind === 'current' ? 'current' : `(struct ${root.struct} *)(${text(root.address)})`
      return steps.reduce(stepText, start)
    }
  }
  function stepText(before: string, step: Step): string {
    if (step.kind === 'member') return `${before}.${step.name}`
    if (step.kind === 'computedIndex') return `${before}[${text(step.index)}]`
    return `${before}[${typeof step.index === 'number' ? step.index : step.index.valueName}]`
  }
}
