import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { type Flood, testFlood } from '../testing/flood.js'
import { kinds } from './index.js'

for (const { name } of kinds) {
  const file = new URL(`${name}/testing/flood.js`, import.meta.url)
  // Other kinds have tests of their own, of floods that need more than system calls.
  if (!existsSync(file)) continue
  const { flood } = (await import(file.href)) as { readonly flood: Flood }
  test(
    `a flood of ${name} starves nothing else, is declared where it is lost, and takes no memory`,
    { timeout: 120_000 },
    (t) => testFlood(t, flood),
  )
}
