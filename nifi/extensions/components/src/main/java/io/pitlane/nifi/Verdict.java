package io.pitlane.nifi;

import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.common.errors.RecordBatchTooLargeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.errors.UnsupportedForMessageFormatException;
import org.apache.kafka.common.InvalidRecordException;

/**
 * What an error of Kafka means for the FlowFile that met it.
 *
 * @param kind   what to do
 * @param reason slug for attributes, logs and metrics
 */
record Verdict(Kind kind, String reason) {

    enum Kind {
        /** Kafka will take it later: keep it. */
        WAIT,
        /** Kafka will never take this record, and others are not concerned: set it aside. */
        REFUSED,
        /** This producer is of no more use; the record may well be: keep it, and start a new producer. */
        BROKEN
    }

    static Verdict of(final Throwable error) {
        return switch (error) {
            case RecordTooLargeException ignored -> refused("record_too_large");
            case RecordBatchTooLargeException ignored -> refused("record_too_large");
            case TopicAuthorizationException ignored -> refused("topic_forbidden");
            case InvalidTopicException ignored -> refused("topic_invalid");
            case PolicyViolationException ignored -> refused("policy");
            case InvalidRecordException ignored -> refused("record_invalid");
            case UnsupportedForMessageFormatException ignored -> refused("record_invalid");
            case RetriableException ignored -> new Verdict(Kind.WAIT, "unavailable");
            default -> new Verdict(Kind.BROKEN, "producer_failed");
        };
    }

    static Verdict refused(final String reason) {
        return new Verdict(Kind.REFUSED, reason);
    }
}
