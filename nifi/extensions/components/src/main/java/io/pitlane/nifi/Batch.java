package io.pitlane.nifi;

import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.logging.ComponentLog;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.exception.ProcessException;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/** The FlowFiles of one trigger: all sent first, then every answer waited for, then each moved where it belongs. */
final class Batch {
    private final ProcessContext context;
    private final ProcessSession session;
    private final Producer<byte[], byte[]> kafka;
    private final HeldTopics held;
    private final Pattern headerPattern;
    private final int maxRequestSize;
    private final ComponentLog log;
    private final String transit;
    private final List<Attempt> attempts = new ArrayList<>();
    private final List<FlowFile> kept = new ArrayList<>();
    private final Map<String, Integer> partitions = new HashMap<>();
    private final Set<String> putOff = new HashSet<>();
    private int settled;
    /** Nothing can be sent any more in this trigger: the rest keeps its place in the queue. */
    private boolean over;
    private Throwable broken;

    /** `headerPattern` may be null: then no attribute becomes a header. */
    Batch(final ProcessContext context, final ProcessSession session, final Producer<byte[], byte[]> kafka,
            final HeldTopics held, final Pattern headerPattern, final int maxRequestSize, final ComponentLog log) {
        this.context = context;
        this.session = session;
        this.kafka = kafka;
        this.held = held;
        this.headerPattern = headerPattern;
        this.maxRequestSize = maxRequestSize;
        this.log = log;
        this.transit = "kafka://" + context.getProperty(PublishBlocks.BOOTSTRAP_SERVERS).evaluateAttributeExpressions().getValue() + "/";
    }

    void send(final FlowFile flowFile) {
        final String topic = context.getProperty(PublishBlocks.TOPIC).evaluateAttributeExpressions(flowFile).getValue();
        if (over || held.contains(topic)) {
            kept.add(flowFile);
            return;
        }
        // Asked before the content is read: it need not fit into memory.
        if (flowFile.getSize() > maxRequestSize) {
            reject(flowFile, topic, "record_too_large", flowFile.getSize() + " bytes exceed Max Request Size");
            return;
        }
        final long startNanos = System.nanoTime();
        try {
            final Integer partition = partition(flowFile, topic);
            final var record = new ProducerRecord<byte[], byte[]>(topic, partition, null, content(flowFile), headers(flowFile));
            attempts.add(new Attempt(flowFile, topic, kafka.send(record), startNanos));
        } catch (final UnusablePartition e) {
            reject(flowFile, topic, "partition_invalid", e.getMessage());
        } catch (final InterruptException e) {
            throw e; // NiFi ends this task; the session is rolled back
        } catch (final KafkaException e) {
            failed(flowFile, topic, e);
            if (Verdict.of(e).kind() == Verdict.Kind.WAIT) {
                held.add(topic);
                // With no answer for any topic yet it is Kafka that is away, and asking for each would take long.
                over = attempts.isEmpty();
            }
        }
    }

    /** Waits for all answers and moves every FlowFile; the caller commits. */
    void settle() {
        for (final Attempt attempt : attempts) {
            try {
                attempt.answer().get();
                final long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - attempt.startNanos());
                session.getProvenanceReporter().send(attempt.flowFile(), transit + attempt.topic(), millis);
                session.transfer(attempt.flowFile(), PublishBlocks.SUCCESS);
                count(PublishBlocks.PUBLISHED);
                settled++;
            } catch (final ExecutionException e) {
                failed(attempt.flowFile(), attempt.topic(), e.getCause());
            } catch (final InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ProcessException("Ended while waiting for Kafka", e);
            }
        }
        keep();
    }

    /** The error after which the producer is of no more use; null while it is. */
    Throwable broken() {
        return broken;
    }

    private void failed(final FlowFile flowFile, final String topic, final Throwable error) {
        final Verdict verdict = Verdict.of(error);
        if (verdict.kind() != Verdict.Kind.REFUSED && putOff.add(verdict.reason())) { // once a trigger
            count(PublishBlocks.PUT_OFF + verdict.reason());
        }
        switch (verdict.kind()) {
            case REFUSED -> reject(flowFile, topic, verdict.reason(), error.getMessage());
            case WAIT -> {
                if (kept.isEmpty()) { // once a trigger: the others fail for the same reason
                    log.warn("Kafka does not take records for {} now, they wait in the queue: {}", topic, error.toString());
                }
                kept.add(flowFile);
            }
            case BROKEN -> {
                broken = error;
                over = true;
                kept.add(flowFile);
            }
        }
    }

    /**
     * Puts what was not sent back into the queue it came from. When others went through, it steps aside for the
     * penalty duration, so that it does not hold them up; when nothing did, Kafka is away: all keep their order and
     * the processor pauses.
     */
    private void keep() {
        if (kept.isEmpty()) {
            return;
        }
        for (final FlowFile flowFile : kept) {
            session.transfer(settled > 0 ? session.penalize(flowFile) : flowFile);
        }
        if (settled == 0) {
            context.yield();
        }
    }

    private void reject(final FlowFile flowFile, final String topic, final String reason, final String detail) {
        log.error("{} does not take {}: {} ({})", topic, flowFile, reason, detail);
        final Map<String, String> attributes = Map.of(
                PublishBlocks.REASON_ATTRIBUTE, reason,
                PublishBlocks.DETAIL_ATTRIBUTE, String.valueOf(detail),
                PublishBlocks.TOPIC_ATTRIBUTE, topic,
                PublishBlocks.TIME_ATTRIBUTE, Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        session.transfer(session.putAllAttributes(flowFile, attributes), PublishBlocks.REJECTED);
        count(PublishBlocks.REFUSED + reason);
        settled++;
    }

    /** Counted when the session commits. */
    private void count(final String counter) {
        session.adjustCounter(counter, 1, false);
    }

    /** The partition asked for, null where none is. Also what waits for the topic's metadata, so that send() need not. */
    private Integer partition(final FlowFile flowFile, final String topic) throws UnusablePartition {
        final int count = partitions.computeIfAbsent(topic, name -> kafka.partitionsFor(name).size());
        final String text = context.getProperty(PublishBlocks.PARTITION).evaluateAttributeExpressions(flowFile).getValue();
        if (text == null || text.isBlank()) {
            return null;
        }
        try {
            final int partition = Integer.parseInt(text.strip());
            if (partition >= 0 && partition < count) {
                return partition;
            }
        } catch (final NumberFormatException ignored) {
            // said below
        }
        throw new UnusablePartition("partition " + text + " of a topic that has " + count);
    }

    private byte[] content(final FlowFile flowFile) {
        try (InputStream in = session.read(flowFile)) {
            return in.readAllBytes();
        } catch (final IOException e) {
            throw new ProcessException("Reading the content of " + flowFile, e);
        }
    }

    private RecordHeaders headers(final FlowFile flowFile) {
        final RecordHeaders headers = new RecordHeaders();
        if (headerPattern != null) {
            flowFile.getAttributes().forEach((name, value) -> {
                if (headerPattern.matcher(name).matches()) {
                    headers.add(name, value.getBytes(StandardCharsets.UTF_8));
                }
            });
        }
        return headers;
    }

    /** A record on its way to Kafka. */
    private record Attempt(FlowFile flowFile, String topic, Future<RecordMetadata> answer, long startNanos) {
    }

    private static final class UnusablePartition extends Exception {
        UnusablePartition(final String message) {
            super(message);
        }
    }
}
