// What the scripts share: the arguments (`--topic t --records 10`) and the client.
import { Kafka, logLevel } from 'kafkajs'
import { parseArgs } from 'node:util'

export function options(defaults) {
  const names = Object.keys(defaults)
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
  return Object.fromEntries(names.map((name) => [name, values[name] ?? defaults[name]]))
}

export const kafka = () =>
  new Kafka({ clientId: 'kafkajs', brokers: process.env.NARAD_TEST_BROKERS.split(','), logLevel: logLevel.ERROR, retry: { retries: 8 } })

export function print(lines) {
  process.stdout.write(lines.map((line) => JSON.stringify(line) + '\n').join(''))
}
