import { activitiesOf, runActivity } from '../../../testing/activities.js'
import type { SituationsOf } from '../../../testing/situations.js'

const PROGRAM = new URL('situation.js', import.meta.url)

/** What the program does about shared memory. */
export const situations: SituationsOf = {
  options: { sharedMemory: true },
  run: () => runActivity(PROGRAM),
  observe: ({ pid, key, made, own, mapped, path }, events) => {
    const shmget = { pid, action: 'shmget', key, mode: 0o600 }
    const file = { pid, action: 'open', path }
    const IPC_CREAT = ['IPC_CREAT']
    return {
      situations: [
        {
          name: 'shmget(2) makes a segment',
          expected: [{ ...shmget, id: made, sizeBytes: 65_536, flags: IPC_CREAT, created: true }],
        },
        {
          name: 'shmget(2) finds it',
          expected: [{ ...shmget, id: made, sizeBytes: 100, flags: IPC_CREAT }],
        },
        {
          name: 'shmget(2) is to make it, and it exists',
          expected: [{ ...shmget, sizeBytes: 100, flags: ['IPC_CREAT', 'IPC_EXCL'], errno: 17 }],
        },
        {
          name: 'shmget(2) is to find what does not exist',
          expected: [{ ...shmget, key: Number(key) + 1, sizeBytes: 100, flags: [], errno: 2 }],
        },
        {
          name: 'shmget(2) with IPC_PRIVATE',
          expected: [{ ...shmget, key: 0, id: own, sizeBytes: 4096, flags: [], created: true }],
        },
        {
          name: 'shmat(2), to be read',
          expected: [
            { pid, action: 'shmat', id: made, flags: ['SHM_RDONLY'], address: BigInt(Number(mapped)) },
          ],
        },
        {
          name: 'shmat(2) of no segment',
          expected: [{ pid, action: 'shmat', id: 2 ** 30, flags: [], writable: true, errno: 22 }],
        },
        {
          name: 'memfd_create(2), its name no UTF-8',
          expected: [
            {
              pid,
              action: 'memfd',
              flags: ['MFD_CLOEXEC', 'MFD_ALLOW_SEALING'],
              created: true,
              name: 'a \ufffd name',
            },
          ],
        },
        { name: 'a file below /dev/shm is made', expected: [{ ...file, created: true, writable: true }] },
        { name: 'a file below /dev/shm is opened to be read', expected: [file] },
      ],
      seen: activitiesOf(events, 'sharedMemory', pid),
    }
  },
}
