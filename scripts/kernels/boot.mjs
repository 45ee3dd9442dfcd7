/** Runs a guest to its end. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

/** It only ends guests that hang. */
const LIMIT_MS = 40 * 60_000

const MACHINES = {
  x64: { command: 'qemu-system-x86_64', args: ['-M', 'q35', '-cpu', 'max'], console: 'ttyS0' },
  // Newer processors sign pointers, which costs more to imitate than all the rest.
  arm64: { command: 'qemu-system-aarch64', args: ['-M', 'virt', '-cpu', 'cortex-a72'], console: 'ttyAMA0' },
}

/**
 * Boots the kernel with the image as its root, writes the console to `log`, and returns its output. Test files that
 * match `leaveOut` are not run. It has one CPU unless more are asked for: then newer kernels die now and then, because
 * QEMU imitates changes of running code badly.
 */
export async function bootGuest({
  arch,
  vmlinuz,
  image,
  lockdown,
  log,
  leaveOut,
  cpus = '1',
  countsInstructions = false,
  limitMs = LIMIT_MS,
}) {
  const machine = MACHINES[arch]
  const append = [
    `console=${machine.console}`,
    'quiet loglevel=1 panic=-1 root=/dev/nvme0n1 rootfstype=ext4 rw rootwait init=/init',
    ...(lockdown === undefined ? [] : [`lockdown=${lockdown}`]),
    // What the kernel does not know becomes a variable of the first process.
    ...(leaveOut === undefined ? [] : [`LEAVE_OUT=${leaveOut.source}`]),
  ]
  const child = spawn(
    machine.command,
    [
      machine.args,
      countsInstructions
        ? ['-accel', 'tcg,thread=single', '-icount', 'shift=3,sleep=off']
        : ['-accel', 'tcg,thread=multi'],
      ['-smp', cpus, '-m', '1024', '-nodefaults', '-no-reboot'],
      ['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
      [
        '-drive',
        `file=${image},if=none,id=root,format=raw,snapshot=on`,
        '-device',
        'nvme,drive=root,serial=root',
      ],
      ['-kernel', vmlinuz, '-append', append.join(' ')],
    ].flat(),
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs, killSignal: 'SIGKILL' },
  )
  const file = createWriteStream(log)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said += text
      file.write(text.replaceAll('\r', ''))
    })
  }
  const [code, signal] = await once(child, 'close')
  file.end(`\nqemu ended with ${signal ?? code}\n`)
  return said.replaceAll('\r', '')
}
