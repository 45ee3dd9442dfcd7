/** Completion of command lines in shells, made of the options that commands declare. */

import type { Option } from './option.js'

/** A command, as a shell sees it. */
export interface CompletedCommand {
  /** The words that it begins with: `quark-mon`, or `quark-mon doctor`. */
  readonly words: readonly [string, string?]
  readonly options: readonly Option<never>[]
  /** What may be its first operand. */
  readonly operands: readonly string[]
}

/** Shells that there are completions for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** One of the shells. */
export type Shell = (typeof SHELLS)[number]

/** Words that stand for the name of a file in the declarations. */
const FILE = 'FILE'

/** A script for a shell that completes the command lines of these commands. */
export function completions(shell: Shell, commands: readonly CompletedCommand[]): string {
  const names = [...new Set(commands.map(({ words: [name] }) => name))]
  const scripts = names.map((name) => {
    const own = commands.filter(({ words }) => words[0] === name)
    return { bash, zsh, fish }[shell](name, own)
  })
  return scripts.join('')
}

function functionName(name: string): string {
  return `_${name.replaceAll('-', '_')}`
}

function spellings({ long, short }: Option<never>): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${long}`]
}

/** An option whose argument is the next word; an optional one only follows `=`. */
function takesWord({ argument, withoutArgument }: Option<never>): boolean {
  return argument !== undefined && withoutArgument === undefined
}

/** In a shell's single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function bash(name: string, commands: readonly CompletedCommand[]): string {
  const arms = commands.toSorted((a, b) => b.words.length - a.words.length).map(bashArm)
  return `\
# bash completion of ${name}: source <(quark-mon completions bash)
${functionName(name)}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD-1]} i
  COMPREPLY=()
  # The shell splits words at "=".
  if [[ $cur == = ]]; then
    cur=
  elif [[ $option == = ]]; then
    option=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i]} == -- ]]; then
      if ((i == COMP_CWORD - 1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
      else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      fi
      return
    fi
  done
  case \${COMP_WORDS[1]} in
${arms.join('')}  esac
}
complete -F ${functionName(name)} ${name}
`
}

function bashArm({ words: [, word], options, operands }: CompletedCommand): string {
  const withFile = options.filter((option) => option.argument === FILE)
  const withWords = options.filter(({ words }) => words !== undefined)
  const withOther = options.filter(
    (option) => takesWord(option) && option.argument !== FILE && option.words === undefined,
  )
  const pattern = (some: readonly Option<never>[]): string => some.flatMap(spellings).join('|')
  const all = [...options.flatMap(spellings), ...(word === undefined ? [] : operands)]
  const cases = [
    ...(withFile.length === 0
      ? []
      : [
          `        ${pattern(withFile)})`,
          '          compopt -o filenames 2>/dev/null',
          '          mapfile -t COMPREPLY < <(compgen -f -- "$cur")',
          '          return ;;',
        ]),
    ...withWords.flatMap((option) => [
      `        ${pattern([option])})`,
      `          mapfile -t COMPREPLY < <(compgen -W ${quoted((option.words ?? []).join(' '))} -- "$cur")`,
      '          return ;;',
    ]),
    ...(withOther.length === 0 ? [] : [`        ${pattern(withOther)}) return ;;`]),
  ]
  return `\
    ${word ?? '*'})
      case $option in
${cases.join('\n')}
      esac
      mapfile -t COMPREPLY < <(compgen -W ${quoted(all.join(' '))} -- "$cur")${firstWord(word, operands)} ;;
`
}

/** Operands of a command without a second word of its own are offered as its first word only. */
function firstWord(word: string | undefined, operands: readonly string[]): string {
  if (word !== undefined || operands.length === 0) return ''
  return `
      ((COMP_CWORD == 1)) && mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -W ${quoted(operands.join(' '))} -- "$cur")`
}

function zsh(name: string, commands: readonly CompletedCommand[]): string {
  const arms = commands
    .toSorted((a, b) => b.words.length - a.words.length)
    .map(({ words: [, word], options, operands }) => {
      const specs = options.flatMap(zshSpecs).map((spec) => `        ${spec} \\\n`)
      const own = operands.length === 0 ? '' : `        ${quoted(`1: :(${operands.join(' ')})`)} \\\n`
      const rest = "        '*: :_default'\n"
      const shift = word === undefined ? '' : '      shift words\n      ((CURRENT--))\n'
      return `    ${word ?? '*'})\n${shift}      _arguments -s \\\n${specs.join('')}${own}${rest}      ;;\n`
    })
  return `\
#compdef ${name}
# zsh completion of ${name}: source <(quark-mon completions zsh)
${functionName(name)}() {
  local -i at=\${words[(i)--]}
  if ((at < CURRENT)); then
    words=("\${(@)words[at+1,-1]}")
    ((CURRENT -= at))
    _normal
    return
  fi
  case $words[2] in
${arms.join('')}  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  ${functionName(name)} "$@"
else
  compdef ${functionName(name)} ${name}
fi
`
}

function zshSpecs(option: Option<never>): string[] {
  const { argument, withoutArgument, words, help } = option
  const action = words === undefined ? (argument === FILE ? '_files' : ' ') : `(${words.join(' ')})`
  const mark = withoutArgument === undefined ? '' : '-'
  const value = argument === undefined ? '' : `:${argument}:${action}`
  const text = help.replaceAll('\\', '\\\\').replaceAll(/[[\]:]/g, (sign) => `\\${sign}`)
  return spellings(option).map((spelling) => {
    const joint = argument === undefined ? '' : spelling.startsWith('--') ? `=${mark}` : '+'
    return quoted(`*${spelling}${joint}[${text}]${value}`)
  })
}

/** Names of files are offered behind `--` only, as the shell has them for the command there. */
function fishCommand(name: string): string {
  const has = `${functionName(name)}_has_command`
  return `\
function ${has}
  contains -- -- (commandline -opc)
end
function ${functionName(name)}_command
  set -l words (commandline -opc)
  set -l at (contains -i -- -- $words)
  complete -C (string join -- ' ' (string escape -- $words[(math $at + 1)..]) (commandline -ct))
end
complete -c ${name} -n ${has} -x -a '(${functionName(name)}_command)'
`
}

function fish(name: string, commands: readonly CompletedCommand[]): string {
  const subcommands = commands.flatMap(({ words: [, word] }) => word ?? [])
  const lines = commands.flatMap(({ words: [, word], options, operands }) => {
    const seen =
      word === undefined
        ? subcommands.length === 0
          ? ''
          : ` -n ${quoted(`not __fish_seen_subcommand_from ${subcommands.join(' ')}`)}`
        : ` -n ${quoted(`__fish_seen_subcommand_from ${word}`)}`
    const isFirst = `not ${functionName(name)}_has_command; and __fish_use_subcommand`
    const first = word === undefined ? ` -n ${quoted(isFirst)}` : seen
    return [
      ...operands.map((operand) => `complete -c ${name}${first} -a ${operand}`),
      ...options.map((option) => {
        const { short, argument, words, help } = option
        const letter = short === undefined ? '' : ` -s ${short}`
        const value =
          words === undefined
            ? takesWord(option)
              ? argument === FILE
                ? ' -r -F'
                : ' -x'
              : ''
            : ` -x -a ${quoted(words.join(' '))}`
        return `complete -c ${name}${seen}${letter} -l ${option.long}${value} -d ${quoted(help)}`
      }),
    ]
  })
  return `\
# fish completion of ${name}: quark-mon completions fish | source
complete -c ${name} -f
${fishCommand(name)}${lines.join('\n')}
`
}
