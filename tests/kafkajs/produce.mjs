// Writes records as a plain KafkaJS service does, and prints what it sent: one line a record, `{key, seq, partition, offset, value}`.
//   --style flat      {"type", "userId", "seq", "timestamp"}, with a number as the timestamp
//   --style envelope  the fields in `data`, beside id, type, version, timestamp and source
//   --style untyped   {"userId", "seq"}
//   --style header    as untyped, with the type in a header `type`
import { CompressionTypes, Partitioners } from 'kafkajs'
import { randomUUID } from 'node:crypto'
import { kafka, options, print } from './client.mjs'

const { topic, records, keys, style, type, compression, quiet } = options({
  topic: undefined, records: '10', keys: '3', style: 'flat', type: 'WORK', compression: 'None', quiet: '',
})
const CHUNK = 2000

const bodies = {
  flat: (userId, seq) => ({ type, userId, seq, timestamp: Date.now() }),
  envelope: (userId, seq) => ({ id: randomUUID(), type, version: '1.0', timestamp: new Date().toISOString(), source: 'kafkajs', data: { userId, seq } }),
  untyped: (userId, seq) => ({ userId, seq }),
  header: (userId, seq) => ({ userId, seq }),
}

const producer = kafka().producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1 })
await producer.connect()
for (let start = 0; start < Number(records); start += CHUNK) {
  const sent = []
  for (let n = start; n < Math.min(Number(records), start + CHUNK); n++) {
    const key = `user-${n % Number(keys)}`
    const seq = Math.floor(n / Number(keys))
    const headers = { 'x-request': `request-${n}`, ...(style === 'header' ? { type } : {}) }
    sent.push({ key, seq, headers, value: JSON.stringify(bodies[style](key, seq)) })
  }
  const results = await producer.send({
    topic,
    compression: CompressionTypes[compression],
    messages: sent.map(({ key, value, headers }) => ({ key, value, headers })),
  })
  if (!quiet) {
    const base = new Map(results.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]))
    print(sent.map(({ key, seq, value }) => ({ key, seq, value })).concat([...base].map(([partition, offset]) => ({ partition, offset }))))
  }
}
await producer.disconnect()
