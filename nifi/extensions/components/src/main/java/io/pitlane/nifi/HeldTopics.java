package io.pitlane.nifi;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/** Topics that are left alone for a while. */
final class HeldTopics {

    /** So long a topic without metadata is not asked for again, lest it slow the others down. */
    private static final Duration HOLD = Duration.ofSeconds(10);

    /** Topic → System.nanoTime() until which it is left alone. Touched by the one task at a time that holds the monitor. */
    private final Map<String, Long> held = new HashMap<>();

    synchronized boolean contains(final String topic) {
        final Long until = held.get(topic);
        if (until != null && until - System.nanoTime() <= 0) {
            held.remove(topic);
            return false;
        }
        return until != null;
    }

    synchronized void add(final String topic) {
        held.put(topic, System.nanoTime() + HOLD.toNanos());
    }

    synchronized void clear() {
        held.clear();
    }
}
