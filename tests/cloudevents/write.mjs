// The records that the package cloudevents writes of one event, in binary and in structured mode: JSON on stdout.
import { CloudEvent, Kafka } from 'cloudevents'

const event = new CloudEvent({
  id: 'a-1',
  source: '/shop/orders',
  type: 'com.example.order.created',
  time: '2026-01-31T12:00:00.000Z',
  subject: 'o-1',
  datacontenttype: 'application/json',
  partitionkey: 'ada',
  data: { orderId: 'o-1', cents: 1250 }
})
const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value))
const record = ({ headers, key, value }) => ({
  headers: Object.entries(headers).filter(([, value]) => value !== undefined),
  key,
  value: text(value)
})
const records = { binary: record(Kafka.binary(event)), structured: record(Kafka.structured(event)) }
process.stdout.write(JSON.stringify(records))
