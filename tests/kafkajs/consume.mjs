// Reads a topic from its beginning to the end that it has now, and prints each record: `{partition, offset, key, value, headers}`.
import { kafka, options, print } from './client.mjs'

const { topic } = options({ topic: undefined })
const client = kafka()
const admin = client.admin()
await admin.connect()
const ends = new Map()
for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
  if (Number(high) > Number(low)) ends.set(partition, Number(high))
}
await admin.disconnect()

if (ends.size > 0) {
  const consumer = client.consumer({ groupId: `kafkajs-${process.pid}-${Date.now()}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise((done, fail) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error))
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(([name, value]) => [name, value?.toString() ?? null]))
        print([{ partition, offset: Number(message.offset), key: message.key?.toString() ?? null, value: message.value?.toString() ?? null, headers }])
        if (Number(message.offset) + 1 >= ends.get(partition)) ends.delete(partition)
        if (ends.size === 0) done()
      },
    })
  })
  await consumer.disconnect()
}
