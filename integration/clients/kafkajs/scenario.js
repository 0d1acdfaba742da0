// scenario.md with kafkajs, last released in 2023: the low versions of every API. Of the codecs it has gzip alone.
const readline = require('readline');
const {Kafka, CompressionTypes, logLevel} = require('kafkajs');

const [topic, partitions, each, patience] = ['scenario', 6, 300, 60000];
const codecs = {none: CompressionTypes.None, gzip: CompressionTypes.GZIP};
const kafka = new Kafka({
  brokers: [process.argv[2]], logLevel: logLevel.NOTHING,
  retry: {initialRetryTime: 50, maxRetryTime: 500, retries: 50},
});

function check(condition, text) {
  if (!condition) throw new Error(text);
}

async function until(done, what) {
  const deadline = Date.now() + patience;
  while (!done()) {
    check(Date.now() < deadline, `no ${what()}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

async function produce(producer, prefix, compression) {
  for (let i = 0; i < each; i += 50) {
    const messages = [...Array(50).keys()].map((n) => ({key: `k${(i + n) % 10}`, value: `${prefix}:${i + n}`}));
    await producer.send({topic, acks: -1, compression, messages});
  }
}

async function member(groupId, seen) {
  const consumer = kafka.consumer({groupId, sessionTimeout: 10000, heartbeatInterval: 500, maxWaitTimeInMs: 200});
  const state = {consumer, partitions: 0};
  consumer.on(consumer.events.GROUP_JOIN, (e) => {
    state.partitions = (e.payload.memberAssignment[topic] || []).length;
  });
  await consumer.connect();
  await consumer.subscribe({topics: [topic], fromBeginning: true});
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({message}) => seen.push({key: `${message.key}`, value: `${message.value}`}),
  });
  return state;
}

const different = (seen) => new Set(seen.map((m) => m.value)).size;

async function checkAll(admin, total) {
  const ends = await admin.fetchTopicOffsets(topic);
  const written = ends.reduce((sum, p) => sum + Number(p.high), 0);
  check(written === total, `the log holds ${written} records, not ${total}`);
  const committed = (await admin.fetchOffsets({groupId: 'g', topics: [topic]}))[0].partitions;
  check(committed.reduce((sum, p) => sum + Number(p.offset), 0) === total, `committed ${JSON.stringify(committed)}`);
  const seen = [];
  const reader = await member('reader', seen);
  await until(() => different(seen) === total, () => `whole topic: ${different(seen)} of ${total}`);
  check(seen.length === total, `${seen.length} records read, ${total} written`);
  const last = {};
  for (const {key, value} of seen) {
    const [prefix, number] = value.split(':');
    check(!(last[key + prefix] >= Number(number)), `${value} after ${last[key + prefix]}`);
    last[key + prefix] = Number(number);
  }
  await reader.consumer.disconnect();
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({topics: [{topic, numPartitions: partitions, replicationFactor: 1}]});
  const producer = kafka.producer({idempotent: true, maxInFlightRequests: 1});
  await producer.connect();
  for (const [name, compression] of Object.entries(codecs)) await produce(producer, name, compression);

  const before = each * Object.keys(codecs).length;
  const seen = [];
  const a = await member('g', seen);
  await until(() => a.partitions === 6, () => 'assignment of all partitions');
  const b = await member('g', seen);
  const shared = () => a.partitions === 3 && b.partitions === 3;
  await until(shared, () => `shared assignment: ${a.partitions} ${b.partitions}`);
  await until(() => different(seen) === before, () => `whole topic: ${different(seen)} of ${before}`);

  console.log('RESTART');
  const input = readline.createInterface({input: process.stdin});
  await new Promise((resume) => input.once('line', resume));
  input.close();
  await produce(producer, 'after', CompressionTypes.None);
  const total = before + each;
  await until(() => different(seen) === total, () => `records after the restart: ${different(seen)} of ${total}`);
  await b.consumer.disconnect();
  await until(() => a.partitions === 6, () => 'assignment of all partitions');
  await a.consumer.disconnect();
  await producer.disconnect();
  await checkAll(admin, total);
  await admin.disconnect();
  console.log('OK', total);
}

main().then(() => process.exit(0)).catch((error) => {
  console.error(error);
  process.exit(1);
});
