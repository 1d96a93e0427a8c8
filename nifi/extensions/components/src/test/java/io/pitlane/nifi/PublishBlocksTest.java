package io.pitlane.nifi;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.MockProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.errors.NotEnoughReplicasException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.nifi.util.MockFlowFile;
import org.apache.nifi.util.MockProcessContext;
import org.apache.nifi.util.TestRunner;
import org.apache.nifi.util.TestRunners;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;

class PublishBlocksTest {

    /** Two partitions of f1.motion and of f1.session; every other topic is unknown. */
    private static final Cluster CLUSTER = cluster("f1.motion", "f1.session");

    private final FakeKafka kafka = new FakeKafka();
    private TestRunner runner;

    @BeforeEach
    void configure() {
        runner = TestRunners.newTestRunner(kafka.processor);
        runner.setProperty(PublishBlocks.BOOTSTRAP_SERVERS, "127.0.0.1:9092");
        runner.setProperty(PublishBlocks.TOPIC, "f1.${route}");
        runner.setProperty(PublishBlocks.PARTITION, "${shard}");
        runner.setProperty(PublishBlocks.HEADER_PATTERN, "(block|packet)\\..+|shard");
    }

    @Test
    void aFlowFileBecomesARecord() {
        enqueue("content", Map.of("route", "motion", "shard", "1", "packet.name", "bewegung ü", "other", "no header"));
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 1);
        final ProducerRecord<byte[], byte[]> record = kafka.latest().history().getFirst();
        assertEquals("f1.motion", record.topic());
        assertEquals(1, record.partition());
        assertNull(record.key());
        assertArrayEquals("content".getBytes(StandardCharsets.UTF_8), record.value());
        final Map<String, String> headers = StreamSupport.stream(record.headers().spliterator(), false)
                .collect(Collectors.toMap(header -> header.key(), header -> new String(header.value(), StandardCharsets.UTF_8)));
        assertEquals(Map.of("packet.name", "bewegung ü", "shard", "1"), headers);
        assertEquals("kafka://127.0.0.1:9092/f1.motion", runner.getProvenanceEvents().getFirst().getTransitUri());
    }

    @Test
    void withoutAPartitionTheProducerChooses() {
        enqueue("content", Map.of("route", "motion"));
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 1);
        assertNull(kafka.latest().history().getFirst().partition());
    }

    @Test
    void aBatchKeepsItsOrder() {
        runner.setProperty(PublishBlocks.BATCH, "800");
        IntStream.range(0, 50).forEach(i -> enqueue("block " + i, Map.of("route", "motion", "shard", "0")));
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 50);
        assertEquals(IntStream.range(0, 50).mapToObj(i -> "block " + i).toList(), kafka.values());
    }

    @Test
    void aTopicGetsASixteenthOfABatchAndTheRestWithTheNext() {
        runner.setProperty(PublishBlocks.BATCH, "48");
        IntStream.range(0, 7).forEach(i -> enqueue("block " + i, Map.of("route", "motion", "shard", "0")));
        runner.run(1, false);
        assertEquals(List.of("block 0", "block 1", "block 2"), kafka.values());
        assertEquals(4, runner.getQueueSize().getObjectCount());
        runner.run(2, true, false); // a mocked queue puts what was left behind the others; NiFi's own keeps its order
        assertEquals(IntStream.range(0, 7).mapToObj(i -> "block " + i).collect(Collectors.toSet()), Set.copyOf(kafka.values()));
    }

    @Test
    void theSettingsThatDeliveryRestsOnAreFixedAndOthersPassThrough() {
        runner.setProperty("security.protocol", "SASL_SSL");
        runner.setProperty("sasl.jaas.config", "secret");
        runner.setProperty("max.block.ms", "1234");
        runner.setProperty(PublishBlocks.MAX_REQUEST_SIZE, "2 MB");
        runner.setProperty(PublishBlocks.DELIVERY_TIMEOUT, "7 sec");
        runner.run();

        final Map<String, Object> settings = kafka.settings.getFirst();
        assertEquals("all", settings.get("acks"));
        assertEquals(true, settings.get("enable.idempotence"));
        assertEquals("127.0.0.1:9092", settings.get("bootstrap.servers"));
        assertEquals(2 * 1024 * 1024, settings.get("max.request.size"));
        assertEquals(7_000, settings.get("delivery.timeout.ms"));
        assertEquals(7_000, settings.get("request.timeout.ms"));
        assertEquals("SASL_SSL", settings.get("security.protocol"));
        assertEquals("secret", settings.get("sasl.jaas.config"));
        assertEquals("1234", settings.get("max.block.ms"));
    }

    @Test
    void dynamicPropertiesAreProducerSettingsThatAreNotReserved() {
        runner.assertValid();
        runner.setProperty("acks", "1");
        runner.assertNotValid();
        runner.removeProperty("acks");
        runner.setProperty("compression.tpye", "zstd");
        runner.assertNotValid();
        runner.removeProperty("compression.tpye");
        runner.setProperty("compression.type", "zstd");
        runner.assertValid();
    }

    @Test
    void whatKafkaRefusesForGoodIsRejectedWithTheReasonAndTheRestGoesThrough() {
        final Instant before = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        kafka.answer("bad", new RecordTooLargeException("larger than the topic allows"));
        kafka.answer("forbidden", new TopicAuthorizationException("not yours"));
        enqueue("good", Map.of("route", "motion", "shard", "0"));
        enqueue("bad", Map.of("route", "motion", "shard", "0"));
        enqueue("forbidden", Map.of("route", "motion", "shard", "0"));
        runner.run();

        runner.assertTransferCount(PublishBlocks.SUCCESS, 1);
        runner.assertTransferCount(PublishBlocks.REJECTED, 2);
        final List<MockFlowFile> rejected = runner.getFlowFilesForRelationship(PublishBlocks.REJECTED);
        rejected.getFirst().assertAttributeEquals("reject.reason", "record_too_large");
        rejected.getFirst().assertAttributeEquals("reject.detail", "larger than the topic allows");
        rejected.getFirst().assertAttributeEquals("reject.topic", "f1.motion");
        rejected.getLast().assertAttributeEquals("reject.reason", "topic_forbidden");
        final Instant time = Instant.parse(rejected.getFirst().getAttribute("reject.time"));
        assertFalse(time.isBefore(before) || time.isAfter(Instant.now()), time.toString());
        assertTrue(rejected.getFirst().getAttributes().keySet().stream().filter(name -> name.startsWith("reject."))
                .allMatch(Pattern.compile("(packet|block|reject)\\..+|shard").asMatchPredicate()), "the dead letters' headers");
        assertEquals(1, runner.getCounterValue("published"));
        assertEquals(1, runner.getCounterValue("rejected: record_too_large"));
        assertEquals(1, runner.getCounterValue("rejected: topic_forbidden"));
        assertEquals(1, kafka.producers.size(), "a refused record does not cost the producer");
    }

    @Test
    void whatIsLargerThanAllowedIsNotEvenSent() {
        runner.setProperty(PublishBlocks.MAX_REQUEST_SIZE, "10 B");
        enqueue("eleven byte", Map.of("route", "motion", "shard", "0"));
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.REJECTED, 1);
        runner.getFlowFilesForRelationship(PublishBlocks.REJECTED).getFirst()
                .assertAttributeEquals("reject.reason", "record_too_large");
        assertTrue(kafka.latest().history().isEmpty());
    }

    @Test
    void aPartitionThatDoesNotExistIsRejected() {
        for (final String shard : List.of("2", "-1", "left")) {
            enqueue("content", Map.of("route", "motion", "shard", shard));
        }
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.REJECTED, 3);
        runner.getFlowFilesForRelationship(PublishBlocks.REJECTED)
                .forEach(flowFile -> flowFile.assertAttributeEquals("reject.reason", "partition_invalid"));
    }

    @Test
    void whileKafkaIsAwayFlowFilesStayInTheirQueueInOrder() {
        kafka.answer("first", new TimeoutException("Expiring 1 record(s)"));
        kafka.answer("second", new NotEnoughReplicasException("one of three"));
        enqueue("first", Map.of("route", "motion", "shard", "0"));
        enqueue("second", Map.of("route", "motion", "shard", "0"));
        runner.run(1, false);

        runner.assertTransferCount(PublishBlocks.SUCCESS, 0);
        runner.assertTransferCount(PublishBlocks.REJECTED, 0);
        runner.assertQueueNotEmpty();
        assertTrue(((MockProcessContext) runner.getProcessContext()).isYieldCalled());
        runner.assertPenalizeCount(0);
        assertEquals(1, runner.getCounterValue("put off: unavailable"), "once a trigger");

        kafka.answers.clear();
        runner.run(1, true, false);
        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 2);
        assertEquals(1, kafka.producers.size());
    }

    @Test
    void oneThatMustWaitStepsAsideWhenOthersWentThrough() {
        kafka.answer("later", new TimeoutException("leader not available"));
        enqueue("later", Map.of("route", "motion", "shard", "0"));
        enqueue("now", Map.of("route", "motion", "shard", "1"));
        runner.run();

        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 1);
        runner.assertQueueNotEmpty();
        runner.assertPenalizeCount(1);
    }

    @Test
    void aTopicThatIsNotThereHoldsUpNoOther() {
        enqueue("no topic", Map.of("route", "absent", "shard", "0"));
        enqueue("good", Map.of("route", "motion", "shard", "0"));
        runner.run(1, false);
        enqueue("also good", Map.of("route", "session", "shard", "0"));
        enqueue("no topic either", Map.of("route", "absent", "shard", "0"));
        runner.run(2, true, false);

        assertEquals(Set.of("good", "also good"), Set.copyOf(kafka.values()));
        runner.assertTransferCount(PublishBlocks.REJECTED, 0);
        assertEquals(2, runner.getQueueSize().getObjectCount());
        assertEquals(1, kafka.metadataTimeouts, "a topic is asked for once in a while, not for every FlowFile");
    }

    @Test
    void aBrokenProducerIsReplacedAndTheFlowFileKept() {
        kafka.answer("content", new SaslAuthenticationException("wrong password"));
        enqueue("content", Map.of("route", "motion", "shard", "0"));
        runner.run(1, false);

        runner.assertTransferCount(PublishBlocks.SUCCESS, 0);
        runner.assertQueueNotEmpty();
        assertTrue(kafka.producers.getFirst().closed());
        assertEquals(1, runner.getCounterValue("put off: producer_failed"));
        assertNull(runner.getCounterValue("published"));

        kafka.answers.clear();
        runner.run(1, true, false);
        runner.assertAllFlowFilesTransferred(PublishBlocks.SUCCESS, 1);
        assertEquals(2, kafka.producers.size());
        assertTrue(kafka.producers.getLast().closed(), "stopping the processor closes its producer");
    }

    private void enqueue(final String content, final Map<String, String> attributes) {
        runner.enqueue(content, attributes);
    }

    private static Cluster cluster(final String... topics) {
        final Node node = new Node(0, "127.0.0.1", 9092);
        final Node[] nodes = {node};
        final List<PartitionInfo> partitions = new ArrayList<>();
        for (final String topic : topics) {
            partitions.add(new PartitionInfo(topic, 0, node, nodes, nodes));
            partitions.add(new PartitionInfo(topic, 1, node, nodes, nodes));
        }
        return new Cluster("test", List.of(node), partitions, Set.of(), Set.of());
    }

    /** The processor on producers that answer at once: with an error for the contents named, else with success. */
    private static final class FakeKafka {
        final Map<String, RuntimeException> answers = new HashMap<>();
        final List<MockProducer<byte[], byte[]>> producers = new ArrayList<>();
        final List<Map<String, Object>> settings = new ArrayList<>();
        int metadataTimeouts;

        final PublishBlocks processor = new PublishBlocks() {
            @Override
            Producer<byte[], byte[]> createProducer(final Map<String, Object> producerSettings) {
                settings.add(producerSettings);
                producers.add(new Answering());
                return latest();
            }
        };

        void answer(final String content, final RuntimeException error) {
            answers.put(content, error);
        }

        MockProducer<byte[], byte[]> latest() {
            return producers.getLast();
        }

        List<String> values() {
            return latest().history().stream().map(record -> new String(record.value(), StandardCharsets.UTF_8)).toList();
        }

        private final class Answering extends MockProducer<byte[], byte[]> {
            Answering() {
                super(CLUSTER, false, null, new ByteArraySerializer(), new ByteArraySerializer());
            }

            @Override
            public synchronized Future<RecordMetadata> send(final ProducerRecord<byte[], byte[]> record, final Callback callback) {
                final Future<RecordMetadata> future = super.send(record, callback);
                final RuntimeException error = answers.get(new String(record.value(), StandardCharsets.UTF_8));
                if (error == null) {
                    completeNext();
                } else {
                    errorNext(error);
                }
                return future;
            }

            @Override
            public List<PartitionInfo> partitionsFor(final String topic) {
                final List<PartitionInfo> partitions = super.partitionsFor(topic);
                if (partitions.isEmpty()) {
                    metadataTimeouts++;
                    throw new TimeoutException("Topic " + topic + " not present in metadata after 3000 ms.");
                }
                return partitions;
            }
        }
    }
}
