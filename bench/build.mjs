/**
 * `quark-mon run -- make -j4` of a build with more than 5,000 processes: whether all processes that were created were seen,
 * and how much longer it takes than the bare build, in pairs of the same run. Then the same beside a busy machine.
 *   node bench/build.mjs [--files=1800] [--rounds=5] [--busy=200] [--write]
 *
 * Needs root, make, and cc; without a compiler, a stand-in of three processes for each file. `--busy` is how many unrelated
 * processes a second others start. `--write` writes bench/build.md.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compiler, plantBuild } from './builds.mjs'
import { median, quantile, rotated } from './measure.mjs'
import { makeDirectory } from './programs.mjs'
import { table } from './report.mjs'
