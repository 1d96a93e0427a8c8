package io.pitlane.nifi;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.nifi.annotation.behavior.DynamicProperty;
import org.apache.nifi.annotation.behavior.InputRequirement;
import org.apache.nifi.annotation.behavior.ReadsAttribute;
import org.apache.nifi.annotation.behavior.SupportsSensitiveDynamicProperties;
import org.apache.nifi.annotation.behavior.WritesAttribute;
import org.apache.nifi.annotation.behavior.WritesAttributes;
import org.apache.nifi.annotation.documentation.CapabilityDescription;
import org.apache.nifi.annotation.documentation.Tags;
import org.apache.nifi.annotation.lifecycle.OnScheduled;
import org.apache.nifi.annotation.lifecycle.OnStopped;
import org.apache.nifi.components.PropertyDescriptor;
import org.apache.nifi.components.PropertyValue;
import org.apache.nifi.components.ValidationContext;
import org.apache.nifi.components.ValidationResult;
import org.apache.nifi.expression.ExpressionLanguageScope;
import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.AbstractProcessor;
import org.apache.nifi.processor.DataUnit;
import org.apache.nifi.processor.ProcessContext;
import org.apache.nifi.processor.ProcessSession;
import org.apache.nifi.processor.Relationship;
import org.apache.nifi.processor.exception.ProcessException;
import org.apache.nifi.processor.util.StandardValidators;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

@Tags({"kafka", "publish", "put", "send", "message", "telemetry", "pitlane"})
@InputRequirement(InputRequirement.Requirement.INPUT_REQUIRED)
@CapabilityDescription("""
        Publishes each FlowFile as one Kafka record: its content is the value, its attributes that match a pattern are \
        the headers. A FlowFile leaves only after all in-sync replicas have the record (acks=all, idempotent producer). \
        While Kafka is away FlowFiles stay in the queue they came from, so back pressure reaches whoever sends them. \
        What Kafka will never take is routed to 'rejected'.""")
@SupportsSensitiveDynamicProperties
@DynamicProperty(
        name = "A setting of Kafka's producer",
        value = "Its value",
        description = "Passed to the producer as it is: security.protocol, sasl.jaas.config, ssl.truststore.location, compression.type …",
        expressionLanguageScope = ExpressionLanguageScope.ENVIRONMENT)
@ReadsAttribute(attribute = "any", description = "Topic and Partition may refer to attributes; those that match the header pattern become headers")
@WritesAttributes({
        @WritesAttribute(attribute = PublishBlocks.REASON_ATTRIBUTE, description = "On 'rejected': the reason as a slug, for example record_too_large"),
        @WritesAttribute(attribute = PublishBlocks.DETAIL_ATTRIBUTE, description = "On 'rejected': what Kafka said"),
        @WritesAttribute(attribute = PublishBlocks.TOPIC_ATTRIBUTE, description = "On 'rejected': the topic that did not take it"),
        @WritesAttribute(attribute = PublishBlocks.TIME_ATTRIBUTE, description = "On 'rejected': when, as ISO 8601 in UTC")
})
public class PublishBlocks extends AbstractProcessor {

    static final String REASON_ATTRIBUTE = "reject.reason";
    static final String DETAIL_ATTRIBUTE = "reject.detail";
    static final String TOPIC_ATTRIBUTE = "reject.topic";
    static final String TIME_ATTRIBUTE = "reject.time";

    /** Counters of NiFi; a reason follows the last two. */
    static final String PUBLISHED = "published";
    static final String REFUSED = "rejected: ";
    static final String PUT_OFF = "put off: ";

    static final PropertyDescriptor BOOTSTRAP_SERVERS = new PropertyDescriptor.Builder()
            .name("Bootstrap Servers")
            .description("Kafka brokers to begin with, as host:port, separated by commas")
            .required(true)
            .addValidator(StandardValidators.HOSTNAME_PORT_LIST_VALIDATOR)
            .expressionLanguageSupported(ExpressionLanguageScope.ENVIRONMENT)
            .build();
    static final PropertyDescriptor TOPIC = new PropertyDescriptor.Builder()
            .name("Topic")
            .description("Name of the topic")
            .required(true)
            .addValidator(StandardValidators.NON_BLANK_VALIDATOR)
            .expressionLanguageSupported(ExpressionLanguageScope.FLOWFILE_ATTRIBUTES)
            .build();
    static final PropertyDescriptor PARTITION = new PropertyDescriptor.Builder()
            .name("Partition")
            .description("Number of the partition; where it is empty, the producer spreads the records")
            .required(false)
            .addValidator(StandardValidators.NON_BLANK_VALIDATOR)
            .expressionLanguageSupported(ExpressionLanguageScope.FLOWFILE_ATTRIBUTES)
            .build();
    static final PropertyDescriptor HEADER_PATTERN = new PropertyDescriptor.Builder()
            .name("Header Attribute Pattern")
            .description("Attributes whose whole name matches this regular expression become record headers, in UTF-8")
            .required(false)
            .addValidator(StandardValidators.REGULAR_EXPRESSION_VALIDATOR)
            .build();
    static final PropertyDescriptor MAX_REQUEST_SIZE = new PropertyDescriptor.Builder()
            .name("Max Request Size")
            .description("The largest record to send; it must not exceed the topic's max.message.bytes")
            .required(true)
            .defaultValue("1 MB")
            .addValidator(StandardValidators.createDataSizeBoundsValidator(1, Integer.MAX_VALUE))
            .build();
    static final PropertyDescriptor DELIVERY_TIMEOUT = new PropertyDescriptor.Builder()
            .name("Delivery Timeout")
            .description("How long the producer itself tries before the FlowFiles go back to their queue")
            .required(true)
            .defaultValue("20 sec")
            .addValidator(StandardValidators.createTimePeriodValidator(1, TimeUnit.SECONDS, 1, TimeUnit.HOURS))
            .build();
    static final PropertyDescriptor BATCH = new PropertyDescriptor.Builder()
            .name("FlowFiles per Batch")
            .description("How many FlowFiles at most are sent before waiting for Kafka's answers; of one topic a sixteenth "
                    + "of them at most, so that topics keep step when much waits")
            .required(true)
            .defaultValue("200")
            .addValidator(StandardValidators.createLongValidator(1, 10_000, true))
            .build();

    static final Relationship SUCCESS = new Relationship.Builder()
            .name("success")
            .description("Kafka has the record")
            .build();
    static final Relationship REJECTED = new Relationship.Builder()
            .name("rejected")
            .description("Kafka will never take the record; " + REASON_ATTRIBUTE + " says why")
            .build();

    /** What the delivery guarantee rests on, or what has a property of its own: not open to dynamic properties. */
    private static final Set<String> RESERVED = Set.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, ProducerConfig.ACKS_CONFIG, ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
            ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG,
            ProducerConfig.MAX_REQUEST_SIZE_CONFIG, ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
            ProducerConfig.TRANSACTIONAL_ID_CONFIG);

    /** Bounds the heap that one batch takes, well below the producer's buffer of 32 MB. */
    private static final long BATCH_BYTES = 16 * 1024 * 1024;
    /** A broker that is there answers a question for metadata in milliseconds. */
    private static final Duration METADATA_TIMEOUT = Duration.ofSeconds(3);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private volatile Producer<byte[], byte[]> producer;
    private volatile Pattern headerPattern;
    private volatile int maxRequestSize;
    private final HeldTopics held = new HeldTopics();

    @Override
    protected List<PropertyDescriptor> getSupportedPropertyDescriptors() {
        return List.of(BOOTSTRAP_SERVERS, TOPIC, PARTITION, HEADER_PATTERN, MAX_REQUEST_SIZE, DELIVERY_TIMEOUT, BATCH);
    }

    @Override
    public Set<Relationship> getRelationships() {
        return Set.of(SUCCESS, REJECTED);
    }

    @Override
    protected PropertyDescriptor getSupportedDynamicPropertyDescriptor(final String name) {
        return new PropertyDescriptor.Builder()
                .name(name)
                .description("Setting of Kafka's producer")
                .required(false)
                .dynamic(true)
                .addValidator(StandardValidators.NON_EMPTY_VALIDATOR)
                .expressionLanguageSupported(ExpressionLanguageScope.ENVIRONMENT)
                .build();
    }

    @Override
    protected Collection<ValidationResult> customValidate(final ValidationContext context) {
        final List<ValidationResult> results = new ArrayList<>();
        for (final PropertyDescriptor descriptor : context.getProperties().keySet()) {
            if (!descriptor.isDynamic()) {
                continue;
            }
            final String name = descriptor.getName();
            final String problem = RESERVED.contains(name) ? "is set by the processor itself"
                    : ProducerConfig.configNames().contains(name) ? null : "is no setting of Kafka's producer";
            if (problem != null) {
                results.add(new ValidationResult.Builder().subject(name).valid(false).explanation("it " + problem).build());
            }
        }
        return results;
    }

    @OnScheduled
    public void start(final ProcessContext context) {
        final String pattern = context.getProperty(HEADER_PATTERN).getValue();
        headerPattern = pattern == null ? null : Pattern.compile(pattern);
        maxRequestSize = context.getProperty(MAX_REQUEST_SIZE).asDataSize(DataUnit.B).intValue();
        producer = createProducer(producerSettings(context));
    }

    @OnStopped
    public void stop() {
        closeProducer();
        held.clear();
    }

    /** A seam for unit tests. */
    Producer<byte[], byte[]> createProducer(final Map<String, Object> settings) {
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static Map<String, Object> producerSettings(final ProcessContext context) {
        final Map<String, Object> settings = new HashMap<>();
        // Short, since a task that waits for metadata holds up every topic; a dynamic property may say otherwise.
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, METADATA_TIMEOUT.toMillis());
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 0);
        final long deliveryTimeout = context.getProperty(DELIVERY_TIMEOUT).asTimePeriod(TimeUnit.MILLISECONDS);
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) Math.min(10_000, deliveryTimeout));
        for (final PropertyDescriptor descriptor : context.getProperties().keySet()) {
            if (descriptor.isDynamic()) {
                settings.put(descriptor.getName(), context.getProperty(descriptor).evaluateAttributeExpressions().getValue());
            }
        }
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, context.getProperty(BOOTSTRAP_SERVERS).evaluateAttributeExpressions().getValue());
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, context.getProperty(MAX_REQUEST_SIZE).asDataSize(DataUnit.B).intValue());
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) deliveryTimeout);
        return settings;
    }

    @Override
    public void onTrigger(final ProcessContext context, final ProcessSession session) throws ProcessException {
        final PropertyValue topic = context.getProperty(TOPIC);
        final EvenShare share = new EvenShare(flowFile -> topic.evaluateAttributeExpressions(flowFile).getValue(),
                held::contains, context.getProperty(BATCH).asInteger(), BATCH_BYTES);
        final List<FlowFile> flowFiles = share.take(session);
        if (flowFiles.isEmpty()) {
            return;
        }
        final Producer<byte[], byte[]> kafka = openProducer(context);
        final Batch sent = new Batch(context, session, kafka, held, headerPattern, maxRequestSize, getLogger());
        flowFiles.forEach(sent::send);
        sent.settle();
        if (sent.broken() != null) {
            getLogger().error("Kafka's producer failed and is started anew", sent.broken());
            abandon(kafka);
        }
    }

    private synchronized Producer<byte[], byte[]> openProducer(final ProcessContext context) {
        if (producer == null) {
            producer = createProducer(producerSettings(context));
        }
        return producer;
    }

    private synchronized void closeProducer() {
        if (producer != null) {
            producer.close(CLOSE_TIMEOUT);
            producer = null;
        }
    }

    /** Closes `broken` unless another task did so already. */
    private synchronized void abandon(final Producer<byte[], byte[]> broken) {
        if (producer == broken) {
            producer = null;
            broken.close(Duration.ZERO);
        }
    }
}
