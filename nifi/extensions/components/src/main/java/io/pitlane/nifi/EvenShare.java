package io.pitlane.nifi;

import org.apache.nifi.flowfile.FlowFile;
import org.apache.nifi.processor.FlowFileFilter;
import org.apache.nifi.processor.ProcessSession;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * Chooses what one trigger sends: of each topic no more than its share, the oldest first.
 *
 * NiFi gives a processor one queue at a time. Where much waits, a batch from a single queue would put one topic many
 * seconds ahead of the others, and who joins topics by frame gives up a frame whose other packets stay away for long.
 */
final class EvenShare implements FlowFileFilter {

    /** About as many as a flow has; a batch is divided among so many. */
    private static final int TOPICS = 16;

    private final Function<FlowFile, String> topicOf;
    private final Predicate<String> held;
    private final Amount batch;
    private final Amount share;
    private final Amount taken = new Amount();
    private final Map<String, Amount> takenOf = new HashMap<>();

    /** What belongs to a `held` topic stays where it is, and holds up nothing that is queued behind it. */
    EvenShare(final Function<FlowFile, String> topicOf, final Predicate<String> held, final int flowFiles, final long bytes) {
        this.topicOf = topicOf;
        this.held = held;
        this.batch = new Amount(flowFiles, bytes);
        this.share = new Amount(Math.max(1, flowFiles / TOPICS), bytes / TOPICS);
    }

    /** Takes it out of all queues. */
    List<FlowFile> take(final ProcessSession session) {
        final List<FlowFile> all = new ArrayList<>();
        List<FlowFile> ofOneQueue = session.get(this);
        while (!ofOneQueue.isEmpty()) {
            all.addAll(ofOneQueue);
            ofOneQueue = session.get(this);
        }
        return all;
    }

    @Override
    public FlowFileFilterResult filter(final FlowFile flowFile) {
        final String topic = topicOf.apply(flowFile);
        if (held.test(topic)) {
            return FlowFileFilterResult.REJECT_AND_CONTINUE;
        }
        final Amount ofTopic = takenOf.computeIfAbsent(topic, name -> new Amount());
        if (!ofTopic.hasRoom(flowFile, share) || !taken.hasRoom(flowFile, batch)) {
            return FlowFileFilterResult.REJECT_AND_TERMINATE; // this queue; the session goes on with the next
        }
        ofTopic.add(flowFile);
        taken.add(flowFile);
        return FlowFileFilterResult.ACCEPT_AND_CONTINUE;
    }

    private static final class Amount {
        private int flowFiles;
        private long bytes;

        Amount() {
            this(0, 0);
        }

        Amount(final int flowFiles, final long bytes) {
            this.flowFiles = flowFiles;
            this.bytes = bytes;
        }

        /** The first one always has, however large it is. */
        boolean hasRoom(final FlowFile flowFile, final Amount limit) {
            return flowFiles == 0 || flowFiles < limit.flowFiles && bytes + flowFile.getSize() <= limit.bytes;
        }

        void add(final FlowFile flowFile) {
            flowFiles++;
            bytes += flowFile.getSize();
        }
    }
}
