// Prints which partition KafkaJS's default partitioner gives to each of 1,000 keys, short and long, ASCII and not: `{key, partition}`.
import { Partitioners } from 'kafkajs'
import { options, print } from './client.mjs'

const { partitions } = options({ partitions: '8' })
const partitionMetadata = Array.from({ length: Number(partitions) }, (_, partitionId) => ({ partitionId, leader: 1 }))
const partition = Partitioners.DefaultPartitioner()

const keys = []
for (let n = 0; keys.length < 1000; n++) {
  keys.push(`${n}`, `user-${n}`, `käse-${n}-ключ`, `订单-${n}-🦀`, 'x'.repeat(1 + (n % 300)) + n)
}
print(keys.slice(0, 1000).map((key) => ({ key, partition: partition({ topic: 't', partitionMetadata, message: { key } }) })))
