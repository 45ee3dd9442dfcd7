import { parseAuditRecord, type AuditRecord } from 'quark-ebpf'

/** A record as it comes from the kernel: `text` behind the stamp, and in front of both the header of its message. */
export function auditRecord(
  type: number,
  text: string,
  { timeMs, serial }: { timeMs: number; serial: number },
): AuditRecord | undefined {
  const header = Buffer.alloc(16)
  header.writeUInt16LE(type, 4)
  const seconds = (timeMs / 1000).toFixed(3)
  return parseAuditRecord(Buffer.concat([header, Buffer.from(`audit(${seconds}:${serial}): ${text}`)]))
}
