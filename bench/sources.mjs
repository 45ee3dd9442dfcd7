/** Files of C, for benches of builds. */
import { spawnSync } from 'node:child_process'

/** The compiler's name and version; undefined if there is none. */
export const compiler = spawnSync('cc', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0]

export const HEADERS = [
  'errno',
  'signal',
  'stdio',
  'stdlib',
  'string',
  'sys/socket',
  'sys/stat',
  'time',
  'unistd',
]

/** A file of so many functions. The least that a compiler does for a process, or, if it is usual, what files of programs are. */
export function sourceOf(file, functions, isUsual) {
  const lines = Array.from({ length: functions }, (_, index) => functionOf(file, index, isUsual))
  const included = isUsual ? HEADERS.map((header) => `#include <${header}.h>\n`).join('') : ''
  return `${included}int f(int);\n${lines.join('\n')}\n`
}

/** What a compiler has done with soonest, or a loop over strings and memory. */
function functionOf(file, index, isUsual) {
  const name = `f${file}_${index}`
  if (!isUsual) return `int ${name}(int a, int b) { return a * ${index} + (b ? f(b - 1) : ${file}); }`
  return [
    `int ${name}(const char *text, int *out, int count) {`,
    '  char line[256];',
    '  int sum = 0;',
    '  for (int i = 0; i < count && text[i] != 0; i++) {',
    `    if (snprintf(line, sizeof line, "%d:%c", out[i] + ${index}, text[i]) < 0) return -errno;`,
    `    sum += (int)strlen(line) * out[i] + (i % ${index + 2} ? f(i - 1) : ${file});`,
    '    out[i] = sum;',
    '  }',
    '  return sum;',
    '}',
  ].join('\n')
}
