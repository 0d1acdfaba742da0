// scenario.md with Kafka's own Java client: the producer at its defaults (idempotent, acks=all).
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Scenario {
  static final String TOPIC = "scenario";
  static final int PARTITIONS = 6, EACH = 300, PATIENCE_SECONDS = 60;
  static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
  static final AtomicInteger commitsUnderWay = new AtomicInteger();
  static String bootstrap;

  static void check(boolean condition, String text) {
    if (!condition) throw new IllegalStateException(text);
  }

  static KafkaProducer<String, String> producer(String codec) {
    return new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec),
        new StringSerializer(), new StringSerializer());
  }

  static void produce(KafkaProducer<String, String> producer, String prefix) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (int i = 0; i < EACH; i++) {
      sent.add(producer.send(new ProducerRecord<>(TOPIC, "k" + i % 10, prefix + ":" + i)));
    }
    producer.flush();
    for (Future<RecordMetadata> f : sent) f.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  static KafkaConsumer<String, String> consumer(String group) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest",
        "enable.auto.commit", "false", "session.timeout.ms", "10000", "heartbeat.interval.ms", "500"));
    if (group != null) config.put("group.id", group);
    return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
  }

  static void pollUntil(Collection<KafkaConsumer<String, String>> members, Set<String> seen, BooleanSupplier done,
      String what) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (!done.getAsBoolean()) {
      check(System.nanoTime() < deadline, "no " + what + ", " + seen.size() + " seen");
      for (KafkaConsumer<String, String> member : members) {
        member.poll(Duration.ofMillis(50)).forEach(r -> seen.add(r.value()));
        commitsUnderWay.incrementAndGet();
        member.commitAsync((offsets, exception) -> commitsUnderWay.decrementAndGet());
      }
    }
  }

  // When the coordinator is found again, the client's heartbeat thread may send an older asynchronous commit behind
  // a synchronous one (listeners of one RequestFuture run in both threads): all of them are waited for first.
  static void commit(Collection<KafkaConsumer<String, String>> members, Set<String> seen) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (commitsUnderWay.get() > 0) {
      check(System.nanoTime() < deadline, commitsUnderWay + " commits without an answer");
      for (KafkaConsumer<String, String> member : members) {
        member.poll(Duration.ofMillis(50)).forEach(r -> seen.add(r.value()));
      }
    }
    for (KafkaConsumer<String, String> member : members) member.commitSync();
  }

  static List<TopicPartition> partitions() {
    List<TopicPartition> all = new ArrayList<>();
    for (int p = 0; p < PARTITIONS; p++) all.add(new TopicPartition(TOPIC, p));
    return all;
  }

  static void checkAll(int total) {
    try (KafkaConsumer<String, String> reader = consumer(null)) {
      long ends = reader.endOffsets(partitions()).values().stream().mapToLong(Long::longValue).sum();
      check(ends == total, "the log holds " + ends + " records, not " + total);
      reader.assign(partitions());
      reader.seekToBeginning(partitions());
      Map<String, Integer> last = new HashMap<>();
      int read = 0;
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (read < total && System.nanoTime() < deadline) {
        for (ConsumerRecord<String, String> r : reader.poll(Duration.ofMillis(200))) {
          String[] parts = r.value().split(":");
          Integer before = last.put(r.key() + parts[0], Integer.valueOf(parts[1]));
          check(before == null || before < Integer.parseInt(parts[1]), r.value() + " after " + before);
          read++;
        }
      }
      check(read == total, read + " of " + total);
    }
  }

  public static void main(String[] arguments) throws Exception {
    bootstrap = arguments[0];
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(TOPIC, PARTITIONS, (short) 1))).all().get();
    }
    for (String codec : CODECS) {
      try (KafkaProducer<String, String> p = producer(codec)) {
        produce(p, codec);
      }
    }
    Set<String> seen = new HashSet<>();
    KafkaConsumer<String, String> a = consumer("g"), b = consumer("g");
    a.subscribe(List.of(TOPIC));
    pollUntil(List.of(a), seen, () -> a.assignment().size() == 6, "assignment of all partitions");
    b.subscribe(List.of(TOPIC));
    pollUntil(List.of(a, b), seen, () -> a.assignment().size() == 3 && b.assignment().size() == 3, "shared assignment");
    pollUntil(List.of(a, b), seen, () -> seen.size() == EACH * CODECS.length, "whole topic");
    commit(List.of(a, b), seen);

    KafkaProducer<String, String> producer = producer("none");
    System.out.println("RESTART");
    new BufferedReader(new InputStreamReader(System.in)).readLine();
    produce(producer, "after");
    producer.close();
    int total = EACH * (CODECS.length + 1);
    pollUntil(List.of(a, b), seen, () -> seen.size() == total, "records after the restart");
    commit(List.of(a, b), seen);
    b.close();
    pollUntil(List.of(a), seen, () -> a.assignment().size() == 6, "assignment of all partitions");
    long committed = 0;
    for (OffsetAndMetadata o : a.committed(new HashSet<>(partitions())).values()) committed += o.offset();
    check(committed == total, "committed " + committed + " of " + total);
    a.close();
    checkAll(total);
    System.out.println("OK " + total);
  }
}
