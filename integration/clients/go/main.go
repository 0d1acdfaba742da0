// scenario.md with franz-go: the highest version of every API, and its own defaults (idempotent, acks=all).
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic      = "scenario"
	partitions = 6
	each       = 300
	patience   = 60 * time.Second
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func check(condition bool, format string, values ...any) {
	if !condition {
		fmt.Fprintf(os.Stderr, format+"\n", values...)
		os.Exit(1)
	}
}

func client(options ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(os.Args[1]))...)
	check(err == nil, "client: %v", err)
	return c
}

func produce(c *kgo.Client, prefix string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var records []*kgo.Record
	for i := 0; i < each; i++ {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k" + strconv.Itoa(i%10)),
			Value: []byte(fmt.Sprintf("%s:%d", prefix, i))})
	}
	err := c.ProduceSync(ctx, records...).FirstErr()
	check(err == nil, "produce %s: %v", prefix, err)
}

// A member of the group: reads and commits in its own goroutine; what it holds is counted by its callbacks.
type member struct {
	client *kgo.Client
	mutex  sync.Mutex
	held   map[int32]bool
	ended  chan struct{}
}

type ledger struct {
	mutex sync.Mutex
	seen  map[string]bool
}

func (l *ledger) size() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return len(l.seen)
}

func (m *member) size() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.held)
}

func join(l *ledger) *member {
	m := &member{held: map[int32]bool{}, ended: make(chan struct{})}
	set := func(value bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, changed map[string][]int32) {
			m.mutex.Lock()
			defer m.mutex.Unlock()
			for _, p := range changed[topic] {
				if value {
					m.held[p] = true
				} else {
					delete(m.held, p)
				}
			}
		}
	}
	m.client = client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.OnPartitionsAssigned(set(true)),
		kgo.OnPartitionsRevoked(set(false)), kgo.OnPartitionsLost(set(false)),
		kgo.SessionTimeout(10*time.Second), kgo.HeartbeatInterval(500*time.Millisecond))
	go func() {
		defer close(m.ended)
		for {
			fetches := m.client.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			l.mutex.Lock()
			fetches.EachRecord(func(r *kgo.Record) { l.seen[string(r.Value)] = true })
			l.mutex.Unlock()
			if fetches.NumRecords() > 0 {
				// A commit may fail while the group changes; the last one counts.
				_ = m.client.CommitUncommittedOffsets(context.Background())
			}
		}
	}()
	return m
}

func until(what string, done func() bool) {
	deadline := time.Now().Add(patience)
	for !done() {
		check(time.Now().Before(deadline), "no %s", what)
		time.Sleep(20 * time.Millisecond)
	}
}

func checkAll(admin *kadm.Client, total int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ends, err := admin.ListEndOffsets(ctx, topic)
	check(err == nil && ends.Error() == nil, "end offsets: %v %v", err, ends.Error())
	starts, offsets := 0, map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		starts += int(o.Offset)
		offsets[o.Partition] = kgo.NewOffset().AtStart()
	})
	check(starts == total, "the log holds %d records, not %d", starts, total)
	committed, err := admin.FetchOffsets(ctx, "g")
	check(err == nil, "committed offsets: %v", err)
	sum := 0
	committed.Each(func(o kadm.OffsetResponse) { sum += int(o.At) })
	check(sum == total, "committed %d of %d", sum, total)

	reader := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	defer reader.Close()
	last, seen := map[string]int{}, 0
	for seen < total && ctx.Err() == nil {
		fetches := reader.PollFetches(ctx)
		fetches.EachRecord(func(r *kgo.Record) {
			prefix, text, _ := strings.Cut(string(r.Value), ":")
			number, _ := strconv.Atoi(text)
			before, known := last[prefix+string(r.Key)]
			check(!known || before < number, "%s after %d", r.Value, before)
			last[prefix+string(r.Key)] = number
			seen++
		})
	}
	check(seen == total, "%d of %d", seen, total)
}

func main() {
	admin := kadm.NewClient(client())
	created, err := admin.CreateTopics(context.Background(), partitions, 1, nil, topic)
	check(err == nil && created[topic].Err == nil, "create: %v %v", err, created[topic].Err)
	for name, codec := range codecs {
		c := client(kgo.ProducerBatchCompression(codec))
		produce(c, name)
		c.Close()
	}
	before := each * len(codecs)
	l := &ledger{seen: map[string]bool{}}
	a := join(l)
	until("assignment of all partitions", func() bool { return a.size() == 6 })
	b := join(l)
	until("shared assignment", func() bool { return a.size() == 3 && b.size() == 3 })
	until("whole topic", func() bool { return l.size() == before })

	producer := client()
	fmt.Println("RESTART")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	check(err == nil, "input: %v", err)
	produce(producer, "after")
	producer.Close()
	total := before + each
	until("records after the restart", func() bool { return l.size() == total })
	for _, m := range []*member{a, b} {
		until("commit of what was read", func() bool {
			err := m.client.CommitUncommittedOffsets(context.Background())
			return err == nil && len(m.client.UncommittedOffsets()) == 0
		})
	}
	b.client.Close()
	<-b.ended
	until("assignment of all partitions", func() bool { return a.size() == 6 })
	a.client.Close()
	<-a.ended
	checkAll(admin, total)
	admin.Close()
	fmt.Println("OK", total)
}
